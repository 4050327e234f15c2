// Package verdict judges an event: is what was done what the controller had
// promised? It is pure and three-valued, looks at the event as of its own time
// and in the controller's calendar, and names the rules, the register version
// and the evaluator version that a verdict rests on.
//
// Every rule that is about the event is asked; a violation beats a review, and
// a review beats an allowance. Besides the rules of the register there are
// three that hold for every register, in general.go.
package verdict
