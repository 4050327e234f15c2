package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/intake"
	"github.com/andmerada/andmerada/internal/server"
)

// apiVersion is that of the API, which its path names too.
const apiVersion = "1"

func newOpenAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:     "openapi",
		Short:   "Print the description of the API (OpenAPI 3.1)",
		Example: "  andmerada openapi > openapi.yaml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := server.OpenAPI(apiVersion, intake.Describe)
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(doc); err != nil {
				return fmt.Errorf("print the description of the API: %w", err)
			}
			return nil
		},
	}
}
