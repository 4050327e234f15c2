package main

import "testing"

// TestRegisterCommandsOnce looks that no command of register stands there twice:
// cobra takes the second in silence, and the help lists both.
func TestRegisterCommandsOnce(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, c := range newRegisterCommand().Commands() {
		if seen[c.Name()] {
			t.Errorf("register has the command %q twice", c.Name())
		}
		seen[c.Name()] = true
	}
	if !seen["export"] {
		t.Error("register has no command export")
	}
}
