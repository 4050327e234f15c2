package register_test

import (
	"slices"
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
	var controllers []string
	for _, r := range loaded {
		controllers = append(controllers, r.Controller.ID)
	}
	if want := []string{"elektrum", "enefit", "hamina", "narva", "netpro"}; !slices.Equal(controllers, want) {
		t.Errorf("registers of %v load, want those of %v", controllers, want)
	}
}
