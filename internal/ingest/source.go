package ingest

import "context"

// source is where records come from: Kafka ([broker]), or memory in tests.
type source interface {
	// missing are those of the topics that are not there.
	missing(ctx context.Context) ([]string, error)

	// join joins the consumer group.
	join() (group, error)

	// log is one partition. A fetch asks for about maxBytes of records.
	log(topic string, partition int32, maxBytes int) partitionLog

	// close lets go of connections.
	close()
}

// group is the membership of a consumer group.
type group interface {
	// next waits for the next generation, which begins when all that was started
	// in the one before has ended. After an error it is asked again.
	next(ctx context.Context) (generation, error)

	// leave ends the generation, waits for what was started in it, and leaves.
	leave() error
}

// generation is one assignment of the group's partitions to its members.
type generation interface {
	id() int32
	assigned() []assignment

	// start runs f until the generation ends: then f's context does, and f must
	// return. If f returns before, the generation ends.
	start(f func(ctx context.Context))

	// commit commits offsets. Kafka refuses a generation that is not the group's.
	commit(topic string, partition int32, next int64) error
}

// assignment is a partition that a member has to read.
type assignment struct {
	topic     string
	partition int32
	committed int64 // the next offset to be read, as the group has it; -1 = none
}

// partitionLog is the log of one partition.
type partitionLog interface {
	// offsets are where the log begins and ends.
	offsets(ctx context.Context) (first, end int64, err error)

	// fetch fills c from offset c.next on, with nothing beyond until, and waits a
	// while for the first record. It may bring nothing. end is before where there
	// is something to be had. The error is errOutOfRange where the log begins
	// after, or ends before, the offset. What c has when an error is returned is
	// good.
	fetch(ctx context.Context, c *chunk, until int64) (end int64, err error)
}
