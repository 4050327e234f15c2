package main

import (
	"context"
	"fmt"
	"io"
)

type machineInfo struct{}
type comparison struct {
	Events    int         `json:"events"`
	Consumers int         `json:"engine_consumers"`
	Ours      []runResult `json:"ingest"`
	Engine    []runResult `json:"kafka_engine"`
	Ratio     float64     `json:"ratio"`
	OursBytes, EngineBytes []tableBytes
}
type result struct {
	Machine machineInfo
	Seed    uint64
	Ingest  *comparison
}

func machine(context.Context, *place) machineInfo { return machineInfo{} }
func (r *result) table(w io.Writer) error         { fmt.Fprintf(w, "%+v\n", r.Ingest); return nil }
func (p *place) verdicts(context.Context, *result) error { return nil }
func (p *place) answers(context.Context, *result) error  { return nil }
