// Package unusual says which accesses of employees are out of the ordinary
// though each by itself is allowed: to one's own record, a relation's or a
// colleague's, to a person in the public eye or one with whom there is no open
// business, to far more persons than usual, at an unusual hour, for something
// new.
//
// It is pure: rules ([Parse]) over aggregates of what was done ([Habits]) and
// over single acts with what was known of the person then ([Act]). Each [Hit]
// has the numbers that it rests on, so that anybody can count them again, and
// says them in a sentence.
package unusual
