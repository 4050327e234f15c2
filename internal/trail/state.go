package trail

import (
	"context"
	"errors"
	"fmt"
)

// CheckSchema says whether the tables are those of this program ([ErrSchema] if
// not). It changes nothing.
func (db *DB) CheckSchema(ctx context.Context) error {
	looking := &DB{cfg: db.cfg, log: db.log, queries: db.queries}
	looking.cfg.ReadOnly = true
	return looking.migrate(ctx, migrations)
}

// Disk is one disk of ClickHouse.
type Disk struct {
	Name        string
	Free, Total uint64 // bytes; free is what no merge has laid claim to
}

// Disks lists the disks of ClickHouse. It needs the right to read system.disks.
func (db *DB) Disks(ctx context.Context) (disks []Disk, err error) {
	rows, err := db.conn().Query(ctx, "SELECT name, unreserved_space, total_space FROM system.disks")
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for its disks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d Disk
		if err := rows.Scan(&d.Name, &d.Free, &d.Total); err != nil {
			return nil, fmt.Errorf("ask ClickHouse for its disks: %w", err)
		}
		disks = append(disks, d)
	}
	return disks, rows.Err()
}
