// Package rejudge judges events again when what their verdicts rest on has
// changed: a fact came late, or a register is another.
//
// The trail is the queue. A [Follower] reads the facts of the trail after its
// own position, looks for the events that each can matter for, judges these
// with all facts that the trail has, and writes a verdict beside the former
// where it is another. It holds one batch in memory, shares none with ingest,
// and never makes it wait. Whatever it is stopped in, the same is looked at
// again, and what is written already is found to be so.
package rejudge
