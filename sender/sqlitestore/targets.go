package sqlitestore

import (
	"encoding/binary"
	"errors"
	"math"
)

// errTargets means that the list of an event's endpoints cannot be read.
var errTargets = errors.New("the list of an event's endpoints is damaged")

// appendTarget adds the number of an endpoint to an event's list: an unsigned
// varint, as in [encoding/binary].
func appendTarget(list []byte, endpoint int64) []byte {
	return binary.AppendUvarint(list, uint64(endpoint))
}

// decodeTargets appends the endpoints of a list to endpoints, in their order.
func decodeTargets(endpoints []int64, list []byte) ([]int64, error) {
	for len(list) > 0 {
		n, size := binary.Uvarint(list)
		if size <= 0 || n == 0 || n > math.MaxInt64 {
			return nil, errTargets
		}
		endpoints = append(endpoints, int64(n))
		list = list[size:]
	}
	return endpoints, nil
}
