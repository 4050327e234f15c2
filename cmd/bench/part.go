package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/andmerada/andmerada/internal/embedded"
)

// runPart is this program as one of its parts: until its stdin ends, which it
// does with the program that has started it, however that ends.
func runPart(ctx context.Context, name string, args []string) int {
	var err error
	switch {
	case name == "kafka" && len(args) == 1:
		err = kafkaPart(ctx, args[0])
	case name == "clickhouse" && len(args) == 2:
		err = clickhousePart(ctx, args[0], args[1])
	case name == "produce" && len(args) == 6:
		err = producePart(ctx, args[0], args[1], args[2], args[3], args[4], args[5])
	default:
		err = fmt.Errorf("there is no part %q with %d arguments", name, len(args))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// ready says where the part is, and waits until it is to end. A signal is not
// for it: the one that has started it gets the same from a terminal.
func ready(h hello) error {
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return fmt.Errorf("say where it is: %w", err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("wait for the end: %w", err)
	}
	return nil
}

func kafkaPart(ctx context.Context, dir string) error {
	k, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: dir})
	if err != nil {
		return err
	}
	return errors.Join(ready(hello{Addr: k.Addr()}), k.Close())
}

func clickhousePart(ctx context.Context, dir, consumers string) error {
	n, err := strconv.Atoi(consumers)
	if err != nil {
		return fmt.Errorf("read the number of consumers: %w", err)
	}
	c, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: dir, Owner: true, KafkaConsumers: n, MaxMemoryBytes: 4 << 30})
	if err != nil {
		return err
	}
	user, password := c.Credentials(embedded.Owner)
	return errors.Join(ready(hello{Addr: c.Addr(), User: user, Password: password}), c.Close())
}
