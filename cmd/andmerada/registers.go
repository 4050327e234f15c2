package main

import (
	"fmt"
	"io/fs"
	"os"

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
