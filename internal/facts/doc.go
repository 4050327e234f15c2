// Package facts remembers what was true of a person, an employee or a
// recipient at any time, and says so as of the time of an event.
//
// A fact has two times: since when it is true, and when it was learnt. What
// holds at a time is decided by the first; the second only settles which of
// two facts about the same moment stands. So facts may be learnt in any order,
// and a fact that is true from a later moment on never changes what was true
// before. The store lives in memory and is filled from the trail at start.
package facts
