package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
)

// registersFlag is the help text of --registers, which several commands take.
const registersFlag = "directory of registers: categories.yaml and <controller>/<date>.yaml (default: those built in)"

// registersFS is the directory of registers, or those built in.
func registersFS(dir string) (fs.FS, error) {
	if dir == "" {
		return registers.FS, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open the registers: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open the registers: %s is a file: give the directory that holds %s", dir, register.CategoriesFile)
	}
	return os.DirFS(dir), nil
}

// loadRegisters loads the registers of a directory, or those built in.
func loadRegisters(dir string) (*register.Set, error) {
	fsys, err := registersFS(dir)
	if err != nil {
		return nil, err
	}
	set, err := register.Load(fsys)
	if err != nil {
		return nil, fmt.Errorf("load the registers: %w", err)
	}
	return set, nil
}

// registersEvery is how often the files of the registers are looked at.
const registersEvery = 2 * time.Second

// followRegisters takes up registers whose files have changed. Files that do
// not check are named in the log, once, and those in use stay. r is told, if it
// is not nil.
func followRegisters(ctx context.Context, live *register.Live, log *slog.Logger, r *reload) error {
	tick := time.NewTicker(registersEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		old := live.Set()
		changed, err := live.Refresh()
		switch {
		case err != nil:
			r.done(err)
			log.Error("the registers were changed and do not check: those in use stay", slog.Any("error", err))
		case changed:
			r.done(nil)
			for _, r := range live.Set().All() {
				was, known := old.Version(r.Version)
				if !known || was.File != r.File {
					log.Info("register in use", slog.String("controller", r.Controller.ID), slog.String("file", r.File), slog.String("version", r.Version))
				}
			}
		}
	}
}
