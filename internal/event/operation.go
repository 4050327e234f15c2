package event

import "fmt"

// Operation is what was done with the data. The terms are those of GDPR
// Art. 4(2) and of the W3C Data Privacy Vocabulary's processing operations.
// The zero value is not an operation.
type Operation uint8

// The operations, in the order in which the trail stores them; the numbers
// are on disk and never change.
const (
	Access Operation = iota + 1
	Use
	Profile
	Decide
	Combine
	Collect
	Record
	Send
	Transfer
	Disclose
	Retain
	Erase
	Rectify
	Restrict
)

var operationNames = [...]string{
	Access: "access", Use: "use", Profile: "profile", Decide: "decide", Combine: "combine",
	Collect: "collect", Record: "record", Send: "send", Transfer: "transfer", Disclose: "disclose",
	Retain: "retain", Erase: "erase", Rectify: "rectify", Restrict: "restrict",
}

// Operations lists every operation.
func Operations() []Operation {
	all := make([]Operation, 0, len(operationNames)-1)
	for op := Access; op <= Restrict; op++ {
		all = append(all, op)
	}
	return all
}

// ParseOperation finds the operation of that name.
func ParseOperation(name string) (Operation, error) {
	for op := Access; op <= Restrict; op++ {
		if operationNames[op] == name {
			return op, nil
		}
	}
	return 0, fmt.Errorf("unknown operation %q", name)
}

// String is the operation's name, as in an event's type.
func (op Operation) String() string {
	if op < Access || op > Restrict {
		return fmt.Sprintf("operation(%d)", uint8(op))
	}
	return operationNames[op]
}

// HandsOver says whether the operation gives data to someone else: these
// are the operations that make a recipient in the sense of GDPR Art. 4(9).
func (op Operation) HandsOver() bool { return op == Transfer || op == Disclose }
