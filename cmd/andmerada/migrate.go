package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newMigrateCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make the trail's tables, or bring them up to date",
		Long: `Migrate makes the database and the tables of the trail, or brings them up to date, by the
user of ClickHouse whom clickhouse.migrations names. Ingest does the same when it starts;
where migrate goes before, nothing that runs on needs that user's password.

It does nothing where the tables are those of this program, and may run beside others. It
leaves alone what a newer program has made, and says so.`,
		Example: "  andmerada migrate\n  andmerada migrate --config /etc/andmerada/migrate.yaml && exec andmerada ingest",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			db, err := openTrail(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			if err := db.Close(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The tables of database %s are those of this program.\n", c.ClickHouse.Database)
			return err
		},
	}
	configFlag(cmd, &file)
	return cmd
}
