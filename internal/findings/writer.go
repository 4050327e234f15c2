package findings

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Lines is a sink for a terminal or a pipe: a structured CloudEvent a line.
type Lines struct {
	Out io.Writer
	// Reader names who reads: each has a position of its own.
	Reader string
}

// Name is "lines" and who reads them.
func (l Lines) Name() string { return "lines " + l.Reader }

// Publish writes the messages.
func (l Lines) Publish(_ context.Context, messages []Message) error {
	enc := json.NewEncoder(l.Out)
	for i := range messages {
		if err := enc.Encode(messages[i].Event); err != nil {
			return fmt.Errorf("write a finding: %w", err)
		}
	}
	return nil
}
