package register_test

import (
	"testing"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
)

func TestShippedRegistersCheck(t *testing.T) {
	t.Parallel()
	loaded, findings, err := register.Check(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
	if len(loaded) != 2 {
		t.Errorf("%d registers load, want 2", len(loaded))
	}
}
