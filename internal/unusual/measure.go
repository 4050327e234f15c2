package unusual

import (
	"maps"
	"math"
	"slices"
)

// histogram counts how often there was which number.
type histogram map[int]int

// percentile is the least number that at least so many percent of all are no
// greater than (the nearest rank), without those of less; -1 if nothing is left.
func (h histogram) percentile(percent int, less histogram) int {
	total := 0
	for value, n := range h {
		total += n - less[value]
	}
	if total <= 0 {
		return -1
	}
	rank, sum := int(math.Ceil(float64(percent)*float64(total)/100)), 0
	for _, value := range slices.Sorted(maps.Keys(h)) {
		if sum += h[value] - less[value]; sum >= rank {
			return value
		}
	}
	return -1
}

// deviation is the median of numbers, and the median of how far each is from it.
func deviation(values []int) (middle, spread float64) {
	slices.Sort(values)
	middle = median(values)
	far := make([]float64, len(values))
	for i, v := range values {
		far[i] = math.Abs(float64(v) - middle)
	}
	slices.Sort(far)
	return middle, median(far)
}

// median is the middle of sorted numbers, or half way between the two in the
// middle.
func median[T int | float64](sorted []T) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	if n%2 == 1 {
		return float64(sorted[n/2])
	}
	return (float64(sorted[n/2-1]) + float64(sorted[n/2])) / 2
}
