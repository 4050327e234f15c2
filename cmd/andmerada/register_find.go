package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// namedRegister finds the register that a name stands for: a controller, for
// its latest, or CONTROLLER@DATE for the one in force from that day ("undated").
func namedRegister(all []*register.Register, name string) (*register.Register, error) {
	controller, date, dated := strings.Cut(name, "@")
	var controllers, dates []string
	for _, r := range all {
		if from := cmp.Or(r.InForce.From, undated); r.Controller.ID == controller {
			if !dated || from == date {
				return r, nil // the latest comes first
			}
			dates = append(dates, from)
		}
		if len(controllers) == 0 || controllers[len(controllers)-1] != r.Controller.ID {
			controllers = append(controllers, r.Controller.ID)
		}
	}
	if dates != nil {
		return nil, usageError{fmt.Errorf("%s has no register in force from %q: there are %s", controller, date, strings.Join(dates, ", "))}
	}
	mend := event.DidYouMean(controller, controllers)
	if mend != "" {
		mend = "; " + mend
	}
	return nil, usageError{fmt.Errorf("there is no register of %q%s: there are %s", controller, mend, strings.Join(controllers, ", "))}
}

const undated = "undated"

// registerFile reads a register from a file, with the decisions that lie
// beside it and the category vocabulary above it, or else that of the registers
// in use. One that does not check is an error that names each fault.
func registerFile(file string, inUse fs.FS) (*register.Register, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("open the register: %w", err)
	}
	if info.IsDir() {
		return nil, usageError{fmt.Errorf("%s is a directory: give the file of one register", file)}
	}
	if info.Size() > register.MaxFileSize {
		return nil, fmt.Errorf("read register %q: the file has %d bytes, more than %d", file, info.Size(), register.MaxFileSize)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the register: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("find the register's directory: %w", err)
	}
	above := os.DirFS(filepath.Dir(dir))
	categories, err := fs.ReadFile(above, register.CategoriesFile)
	if errors.Is(err, fs.ErrNotExist) {
		categories, err = fs.ReadFile(inUse, register.CategoriesFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the category vocabulary: %w", err)
	}
	decisions, err := register.ReadDecisions(above, filepath.Base(dir))
	if err != nil {
		return nil, fmt.Errorf("read the decisions beside %q: %w", file, err)
	}
	r, findings := register.Parse(file, data, categories, decisions...)
	if r == nil {
		return nil, fmt.Errorf("the register does not check:\n%w", &register.FindingsError{Findings: findings})
	}
	return r, nil
}
