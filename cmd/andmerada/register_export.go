package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/registerexport"
)

// exportForms are the forms in which registers are handed on.
var exportForms = map[string]func([]*register.Register) ([]byte, error){"dpv": registerexport.DPV, "ropa": registerexport.ROPA}

func newRegisterExportCommand() *cobra.Command {
	var as, dir string
	cmd := &cobra.Command{
		Use:   "export --as dpv|ropa [CONTROLLER[@DATE]]",
		Short: "Hand registers on in the forms that others read",
		Long: `Export writes registers in a form that other systems and people read: the latest of each
controller, or the one that is named.

  dpv   JSON-LD in the terms of the W3C Data Privacy Vocabulary 2.2, with its extensions for
        personal data and for the GDPR
  ropa  the record of processing activities of GDPR Art. 30(1) as CSV, one line a purpose;
        what a notice does not say, such as security measures, is for its owner to add`,
		Example: `  andmerada register export --as dpv elektrum > elektrum.jsonld
  andmerada register export --as ropa > activities.csv`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			write, ok := exportForms[as]
			if !ok {
				forms := slices.Sorted(maps.Keys(exportForms))
				mend := event.DidYouMean(as, forms)
				if mend != "" {
					mend = "; " + mend
				}
				return usageError{fmt.Errorf("--as %q: write one of %s%s", as, strings.Join(forms, ", "), mend)}
			}
			set, err := loadRegisters(dir)
			if err != nil {
				return err
			}
			chosen := set.All()
			if len(a) > 0 {
				r, err := namedRegister(chosen, a[0])
				if err != nil {
					return err
				}
				chosen = []*register.Register{r}
			} else { // the latest of a controller comes first
				chosen = slices.CompactFunc(chosen, func(x, y *register.Register) bool { return x.Controller.ID == y.Controller.ID })
			}
			data, err := write(chosen)
			if err != nil {
				return fmt.Errorf("export the registers: %w", err)
			}
			if _, err := cmd.OutOrStdout().Write(data); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the form: dpv or ropa")
	cmd.Flags().StringVar(&dir, "registers", "", registersFlag)
	return cmd
}
