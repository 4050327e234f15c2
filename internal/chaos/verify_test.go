package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/trail"
)

// TestVerifyWhileItRuns: `andmerada verify`, whole and of what is new, finds
// nothing while events stream in; and of what is new it finds what is missing,
// without a look at what is old.
func TestVerifyWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 2})
	p := w.start()
	w.send(20_000, 100)
	w.caughtUp(time.Minute, p)
	stopFlow := w.flow(1000, 100)
	for range 5 {
		time.Sleep(500 * time.Millisecond)
		for _, args := range [][]string{{"verify"}, {"verify", "--since", "1s"}} {
			if out, status := w.command(args...); status != 0 {
				t.Errorf("%v ends with %d:\n%s", args, status, out)
			}
		}
	}
	stopFlow()
	w.caughtUp(time.Minute, p)
	w.holds()
	p.stop()

	since := func(d string) (report trail.Report, status int) {
		out, status := w.command("verify", "--json", "--since", d)
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return report, status
	}
	if report, status := since("1h"); status != 0 || report.Partitions[0].First != 0 || report.Partitions[0].Missing != 0 {
		t.Errorf("ends with %d: %s", status, report)
	}
	report, status := since("1ms")
	last := report.Partitions[0]
	if status != 0 || last.First == 0 || last.First >= last.Committed {
		t.Errorf("ends with %d: %s", status, report)
	}
	w.exec(fmt.Sprintf("DELETE FROM trail WHERE topic = '%s' AND partition = 0 AND offset IN (7, %d)", w.topic, last.Committed-1))
	if report, status := since("1ms"); status != 1 || report.Partitions[0].Missing != 1 {
		t.Errorf("ends with %d: %s", status, report)
	}
	if report, status := since("1h"); status != 1 || report.Partitions[0].Missing != 2 {
		t.Errorf("ends with %d: %s", status, report)
	}
}

// TestEachFaultHasATest holds docs/reliability.md against the tests: each of its
// faults names tests that there are, and each test that names a fault is in its
// line.
func TestEachFaultHasATest(t *testing.T) {
	t.Parallel()
	const root = "../.."
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	tests := func(dir string) (text string) {
		files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text += read(strings.TrimPrefix(file, root+"/"))
		}
		return text
	}
	here := tests("internal/chaos")
	lines := make(map[string]string)
	for _, line := range regexp.MustCompile(`(?m)^\| (\d+) \|.*\|.*\| (.+) \|$`).FindAllStringSubmatch(read("docs/reliability.md"), -1) {
		fault, cell := line[1], line[2]
		if lines[fault] != "" {
			t.Errorf("fault %s is there twice", fault)
		}
		lines[fault] = cell
		// "`A`, `B`; C: `D`, `E` in `internal/x`": the last part's are of that package.
		n := 0
		for _, part := range strings.Split(cell, ";") {
			dir, text := "internal/chaos", here
			if in := regexp.MustCompile("`(internal/[a-z/]+)`").FindStringSubmatch(part); in != nil {
				dir, text = in[1], tests(in[1])
				n++
			}
			if text == "" {
				t.Errorf("fault %s: %s has no tests", fault, dir)
			}
			for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(part, -1) {
				n++
				if !strings.Contains(text, "func "+name[1]+"(") {
					t.Errorf("fault %s: %s has no %s", fault, dir, name[1])
				}
			}
		}
		if n == 0 {
			t.Errorf("fault %s has no test", fault)
		}
	}
	for n := 1; n <= 27; n++ {
		if lines[fmt.Sprint(n)] == "" {
			t.Errorf("fault %d is not in docs/reliability.md", n)
		}
	}
	for _, m := range regexp.MustCompile(`(?s)\n((?://[^\n]*\n)+)func (Test[A-Za-z0-9]+)\(`).FindAllStringSubmatch(here, -1) {
		for _, fault := range regexp.MustCompile(`[Ff]aults? (\d+)`).FindAllStringSubmatch(m[1], -1) {
			if !strings.Contains(lines[fault[1]], "`"+m[2]+"`") {
				t.Errorf("%s says that it is fault %s, whose line in docs/reliability.md does not name it", m[2], fault[1])
			}
		}
	}
}
