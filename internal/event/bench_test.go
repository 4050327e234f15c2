package event_test

import (
	"testing"

	"github.com/andmerada/andmerada/internal/event"
)

const benchData = `{"controller":"elektrum","person":{"scheme":"customer-number","value":"100200300"},"actor":{"id":"u-1093","kind":"human","role":"credit-control","organisation":"Elektrum Eesti OÜ"},` +
	`"purpose":"elektrum/creditinfo-disclosure","categories":["breach-info","name","personal-code"],"fields":["name","personal_code","debt_amount","debt_since"],"records":1,` +
	`"recipient":{"id":"elektrum/creditinfo-eesti"},"basis":{"kind":"legitimate-interest","reference":"§4.10"},"reason":"payment default of more than 30 days","statements":{"necessity":true,"breach":{"exists":true,"kind":"payment","date":"2024-01-15","ended_on":null}}}`

var benchHeaders = []event.Header{
	{Key: "ce_specversion", Value: []byte("1.0")},
	{Key: "ce_id", Value: []byte("0190b6c4-7a0e-7c59-9d3e-3d1c2b0a9f88")},
	{Key: "ce_source", Value: []byte("/elektrum/credit-control")},
	{Key: "ce_type", Value: []byte("ee.andmerada.disclose.v1")},
	{Key: "ce_time", Value: []byte("2024-06-10T09:59:59.123+03:00")},
	{Key: "ce_sequence", Value: []byte("184467")},
	{Key: "ce_traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
	{Key: "content-type", Value: []byte("application/json")},
}

func BenchmarkDecodeKafka(b *testing.B) {
	ev, err := event.DecodeKafka(benchHeaders, []byte(benchData))
	if err != nil {
		b.Fatal(err)
	}
	headers, structured, err := event.EncodeStructured(ev)
	if err != nil {
		b.Fatal(err)
	}
	for name, message := range map[string]struct {
		headers []event.Header
		value   []byte
	}{"binary": {benchHeaders, []byte(benchData)}, "structured": {headers, structured}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(message.value)))
			var again event.Event
			for b.Loop() {
				if err := event.DecodeKafkaInto(&again, message.headers, message.value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeBinary(b *testing.B) {
	ev, err := event.DecodeKafka(benchHeaders, []byte(benchData))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := event.EncodeBinary(ev); err != nil {
			b.Fatal(err)
		}
	}
}
