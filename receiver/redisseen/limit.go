package redisseen

import (
	"context"
	"strconv"

	"github.com/manysends/caddy-webhooks/receiver"
)

// Take implements [receiver.Limits].
func (m *Memory) Take(ctx context.Context, buckets []receiver.Bucket) (taken bool, err error) {
	keys, args := make([]string, 0, len(buckets)), make([]string, 0, 2*len(buckets))
	for i := range buckets {
		b := &buckets[i]
		keys = append(keys, m.name(b.Key))
		args = append(args, strconv.FormatFloat(1e6/b.Rate.PerSecond(), 'g', 17, 64), strconv.Itoa(b.Rate.BurstSize()))
	}
	result, err := m.exec(ctx, scriptTake, keys, args)
	if err != nil {
		return false, err
	}
	answer, err := result.ToArray()
	if err != nil {
		return false, unexpected(err)
	}
	if len(answer) != len(buckets)+1 {
		return false, unexpected(errAnswer)
	}
	for i := range buckets {
		if buckets[i].Tokens, err = answer[i+1].AsFloat64(); err != nil {
			return false, unexpected(err)
		}
	}
	n, err := answer[0].AsInt64()
	if err != nil {
		return false, unexpected(err)
	}
	return n == 1, nil
}
