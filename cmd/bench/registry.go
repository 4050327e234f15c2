package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// avroFormat is what clients of a schema registry write: the schema's id, and
// the data in Avro; the attributes are headers. The id is the number of the kind.
var avroFormat = format{"avro", func(ev *event.Event) ([]event.Header, []byte, error) {
	return event.EncodeConfluent(ev, uint32(ev.Kind))
}}

// registry answers for the schemas, as a schema registry does. Ingest asks it
// once for each, so how fast it is does not matter.
type registry struct {
	url    string
	server *http.Server
	ended  chan error
}

func startRegistry(ctx context.Context) (*registry, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the schema registry: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || id < int(event.Processing) || id > int(event.CohortPart) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		_ = json.NewEncoder(w).Encode(map[string]string{"schema": event.AvroSchema(event.Kind(id))}) // whoever asks has gone
	})
	r := &registry{url: "http://" + listener.Addr().String(), server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, ended: make(chan error, 1)}
	go func() { r.ended <- r.server.Serve(listener) }()
	return r, nil
}

func (r *registry) close() error {
	err := r.server.Close()
	if ended := <-r.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
