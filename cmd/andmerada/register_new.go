package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
)

// controllerID is what a controller's short name looks like: it is a name of a
// directory, too.
var controllerID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func newRegisterNewCommand() *cobra.Command {
	var s register.Scaffold
	var notice, dir string
	cmd := &cobra.Command{
		Use:   "new CONTROLLER",
		Short: "Begin a register",
		Long: `New begins the register of a controller: a file that checks as it is, with one purpose,
recipient and rule as examples to replace, and worked cases that pass. With the notice's text
it notes its hash and lists its lines as clauses, each of which the register then has to
account for. Nothing that is there is overwritten.`,
		Example: `  andmerada register new acme --name "Acme OÜ" --notice acme.txt --from 2026-03-01
  andmerada register new acme --dir my/registers --language lv --country LV --zone Europe/Riga`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			s.ID = a[0]
			if !controllerID.MatchString(s.ID) {
				return usageError{fmt.Errorf("%q is no short name of a controller: small letters, digits and hyphens, as in \"acme\"", s.ID)}
			}
			s.Name = cmp.Or(s.Name, s.ID)
			if notice != "" {
				var err error
				if s.Notice, err = os.ReadFile(notice); err != nil {
					return fmt.Errorf("read the notice: %w", err)
				}
				if len(s.Notice) > register.MaxNoticeSize {
					return fmt.Errorf("read the notice %s: it has %d bytes, more than %d", notice, len(s.Notice), register.MaxNoticeSize)
				}
			}
			reg, cases, err := s.Files()
			if err != nil {
				return usageError{err}
			}
			vocabulary, err := fs.ReadFile(registers.FS, register.CategoriesFile)
			if err != nil {
				return fmt.Errorf("read the category vocabulary: %w", err)
			}
			if r, findings := register.Parse("", reg, vocabulary); r == nil {
				return usageError{fmt.Errorf("a register of these would not check:\n%w", &register.FindingsError{Findings: findings})}
			}
			file := filepath.Join(dir, s.ID, cmp.Or(s.From, undated)+".yaml")
			casesFile := filepath.Join(dir, s.ID, "cases", "clauses.yaml")
			if err := writeNew(file, reg); err != nil {
				return err
			}
			if err := writeNew(casesFile, cases); err != nil {
				return err
			}
			if err := writeNew(filepath.Join(dir, register.CategoriesFile), vocabulary); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `Wrote %s and %s. Next:

  1. Replace what says REPLACE. Editors complete it by the schema named in its first line.
  2. andmerada register check %s
  3. andmerada register coverage %s --registers %s
  4. andmerada register test --registers %s %s
  5. Before it takes effect: andmerada register try %s
`, file, casesFile, dir, s.ID, dir, dir, casesFile, file)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Name, "name", "", "legal name of the controller (default: the short name)")
	f.StringVar(&s.Country, "country", "EE", "country, ISO 3166-1 alpha-2")
	f.StringVar(&s.Zone, "zone", "Europe/Tallinn", "time zone in which its calendar runs, IANA")
	f.StringVar(&s.Language, "language", "et", "language of the notice, ISO 639-1")
	f.StringVar(&s.From, "from", "", "first day it is in force, YYYY-MM-DD (default: undated)")
	f.StringVar(&notice, "notice", "", "file with the notice's text")
	f.StringVar(&dir, "dir", "registers", "directory of registers to write to")
	return cmd
}

// writeNew writes a file that must not be there yet.
func writeNew(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make the directory of %s: %w", file, err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and nothing is overwritten: choose another name or --dir (%w)", file, fs.ErrExist)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
