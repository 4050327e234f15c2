package main

import (
	"bytes"
	"os"
	"testing"
)

// TestOpenAPIIsCurrent: what clients code against is what the server says.
func TestOpenAPIIsCurrent(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile("../../schemas/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs([]string{"openapi"})
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), committed) {
		t.Error("schemas/openapi.yaml is not what the server says: make generate")
	}
}
