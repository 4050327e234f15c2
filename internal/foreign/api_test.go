package foreign

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/foreign/clients"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/report"
	"github.com/andmerada/andmerada/internal/server"
)

// unfit are checks that this API cannot hold, and why.
var unfit = []string{
	"positive_data_acceptance", // what fits the schema may be refused: that there is such a controller, no schema says
	"unsupported_method",       // a path may be a page, which tells less
}

// TestTheAPIIsWhatItsDescriptionSays: Schemathesis makes requests out of the
// description, good ones and bad, and looks that each answer is one that the
// description has.
func TestTheAPIIsWhatItsDescriptionSays(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	dir := t.TempDir()
	token := access.NewToken()
	tokens := filepath.Join(dir, "tokens.yaml")
	text := fmt.Sprintf("tokens:\n  - {name: schemathesis, sha256: %s, roles: [dpo], controllers: [\"*\"], expires: 2100-01-01T00:00:00Z}\n", access.HashToken(token))
	if err := os.WriteFile(tokens, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	list, err := access.OpenTokens(tokens, logger, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	deps := answertest.Plant(t)
	names, err := report.LoadNames(registers.FS, func() *register.Set { return deps.Registers })
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(server.New(server.Config{
		Answers: deps, Version: "test", Access: &access.Gate{Tokens: list}, Recorder: access.NewRecorder(nil), Logger: logger, Names: names,
	}))
	defer s.Close()
	cmd := clients.Schemathesis(t, "run", s.URL+"/openapi.yaml", "--url", s.URL, "-H", "Authorization: Bearer "+token, "--checks", "all", "--exclude-checks", strings.Join(unfit, ","),
		"--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--max-time", "40", "--seed", "1", "--no-shrink", "--request-timeout", "60", "--continue-on-failure", "--warnings", "off", "--generation-database", "none")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("generated")) {
		t.Errorf("it says nothing of what it tried:\n%s", out)
	}
	if log.Len() > 0 {
		t.Errorf("something failed below:\n%s", &log)
	}
}
