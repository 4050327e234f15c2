package trail

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// maxStated is how many events are asked what they state.
const maxStated = 100

// statedColumns are what Stated reads.
var statedColumns = []string{"statements", "recipient", "recipient_organisation", "recipient_code", "recipient_country", "register_version", "operation"}

// Stated reads what the newest of a person's events of some uses state of
// themselves, each as often as it states it. Statements are in no projection: the
// places of the events are found by person, and the rows by place.
func (db *DB) Stated(ctx context.Context, q PersonQuery, uses []*Use) ([]Row, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	var ids []string
	for _, u := range uses {
		for _, id := range u.contexts {
			ids = append(ids, hex.EncodeToString(id[:]))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	params := q.params()
	params["contexts"] = quoteHex(ids)
	params["n"] = strconv.Itoa(maxStated)
	places := make(map[string][]string)
	err := db.each(ctx, `
		SELECT topic, partition, offset FROM trail`+q.where()+`
			AND NOT duplicate AND context IN (SELECT toFixedString(unhex(arrayJoin({contexts:Array(String)})), 16))
		GROUP BY topic, partition, offset
		ORDER BY max(time) DESC, topic, partition, offset LIMIT {n:UInt32}`+personSettings, params, func(scan func(...any) error) error {
		var topic string
		var partition uint32
		var offset uint64
		if err := scan(&topic, &partition, &offset); err != nil {
			return err
		}
		places["topics"] = append(places["topics"], "'"+hex.EncodeToString([]byte(topic))+"'")
		places["partitions"] = append(places["partitions"], strconv.FormatUint(uint64(partition), 10))
		places["offsets"] = append(places["offsets"], strconv.FormatUint(offset, 10))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the events that state something: %w", err)
	}
	if len(places) == 0 {
		return nil, nil
	}
	at := make(map[string]string)
	for name, list := range places {
		at[name] = "[" + strings.Join(list, ",") + "]"
	}
	return collect(db.rows(ctx, statedColumns, "WHERE "+atPlaces+" AND cause = '' AND person_index = 0 AND statements != ''", at,
		setting("max_threads", "1"), setting("optimize_use_projections", "0"), bounded()))
}
