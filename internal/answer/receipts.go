package answer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadReceipts reads what a recipient says it received: CSV with a column id,
// and perhaps one records, or with the columns day and count, parted by commas or semicolons. What is wrong
// with it is a [Fault], which never holds what is written there.
func ReadReceipts(in io.Reader) ([]Receipt, error) {
	const pointer = "/receipts"
	buffered := bufio.NewReader(in)
	start, err := buffered.Peek(4096)
	if err != nil && len(start) == 0 {
		return nil, &Fault{pointer, "the receipts are empty", "give a CSV file with a column id, or with the columns day and count"}
	}
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(start, bom) {
		start = start[len(bom):]
		if _, err := buffered.Discard(len(bom)); err != nil {
			return nil, err
		}
	}
	header, _, _ := bytes.Cut(start, []byte("\n"))
	r := csv.NewReader(buffered)
	if bytes.ContainsRune(header, ';') && !bytes.ContainsRune(header, ',') {
		r.Comma = ';'
	}
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, &Fault{pointer, "the receipts are no CSV", "write one receipt on each line, and as many columns on each as on the first"}
	}
	at := map[string]int{"id": -1, "records": -1, "day": -1, "count": -1}
	for i, name := range rows[0] {
		if name = strings.ToLower(strings.TrimSpace(name)); at[name] < 0 {
			at[name] = i
		}
	}
	if at["id"] < 0 && (at["day"] < 0 || at["count"] < 0) {
		return nil, &Fault{pointer, "the receipts do not say what their columns are", "name the columns on the first line: id, or day and count"}
	}
	receipts := make([]Receipt, 0, len(rows)-1)
	for line, row := range rows[1:] {
		var one Receipt
		if at["id"] >= 0 {
			one.ID = strings.TrimSpace(row[at["id"]])
			if k := at["records"]; k >= 0 && strings.TrimSpace(row[k]) != "" {
				n, err := strconv.ParseUint(strings.TrimSpace(row[k]), 10, 64)
				if err != nil {
					return nil, &Fault{pointer, fmt.Sprintf("the records on line %d are no number", line+2), "write digits only"}
				}
				one.Records = &n
			}
		} else {
			one.Day = strings.TrimSpace(row[at["day"]])
			count, err := strconv.ParseUint(strings.TrimSpace(row[at["count"]]), 10, 64)
			if err != nil {
				return nil, &Fault{pointer, fmt.Sprintf("the count on line %d is no number", line+2), "write digits only"}
			}
			one.Count = &count
		}
		receipts = append(receipts, one)
	}
	return receipts, nil
}
