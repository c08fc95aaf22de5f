package receiver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
)

// A file of seen events is a header and then records of the same size, in the
// order of the commits. Each record has a checksum of its own, so that one that
// was not written whole spoils no other.
//
//	key      16 bytes
//	expires   8 bytes, Unix nanoseconds; 0: the key was forgotten on request
//	ttl       4 bytes, seconds; the highest bit: the next record is of the
//	          same event
//	checksum  4 bytes, CRC-32C of what is before it
//
// Numbers are little-endian.
const (
	recordSize = 32
	pairedBit  = 1 << 31
)

// fileHeader is as long as a record.
var fileHeader = []byte("caddy-webhooks seen events 1\n\x00\x00\x00")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is an entry of a file.
type record struct {
	key     key
	expires int64 // in Unix nanoseconds; 0: forgotten
	ttl     time.Duration
	paired  bool
}

// appendTo appends the record as it is in the file.
func (r *record) appendTo(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, r.key[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.expires))
	ttl := uint32(min(math.MaxInt32, (r.ttl+time.Second-1)/time.Second))
	if r.paired {
		ttl |= pairedBit
	}
	dst = binary.LittleEndian.AppendUint32(dst, ttl)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// isWhole tells whether a record of recordSize bytes was written as it should
// be.
func isWhole(b []byte) bool {
	return crc32.Checksum(b[:28], castagnoli) == binary.LittleEndian.Uint32(b[28:])
}

// readRecord reads a record that is whole, unless it makes no sense.
func readRecord(b []byte) (r record, ok bool) {
	ttl := binary.LittleEndian.Uint32(b[24:])
	r = record{
		key:     key(b[:16]),
		expires: int64(binary.LittleEndian.Uint64(b[16:])),
		ttl:     time.Duration(ttl&^pairedBit) * time.Second,
		paired:  ttl&pairedBit != 0,
	}
	return r, r.key != key{} && r.expires >= 0 && (r.expires == 0 || r.ttl > 0)
}

var errForeignFile = errors.New("it is not a file of seen events")

// fileContent is what a file holds.
type fileContent struct {
	records []byte // whole ones, broken ones among them
	broken  bool   // something was not written whole
}

// checkFile takes the header off a file and whatever is not a whole record. An
// empty file is fine, and so is one whose header was not written whole.
func checkFile(data []byte) (fileContent, error) {
	if len(data) < len(fileHeader) {
		if !bytes.HasPrefix(fileHeader, data) {
			return fileContent{}, errForeignFile
		}
		return fileContent{broken: true}, nil
	}
	rest, found := bytes.CutPrefix(data, fileHeader)
	if !found {
		return fileContent{}, errForeignFile
	}
	whole := len(rest) / recordSize * recordSize
	return fileContent{records: rest[:whole], broken: whole < len(rest)}, nil
}

// restore makes the seen-set that of a file: all that had not expired by now.
// It tells whether all records were whole. Nothing else may use the seen-set
// yet.
func (s *seenSet) restore(records []byte, now int64) (whole bool) {
	at := func(i int) []byte { return records[i*recordSize : (i+1)*recordSize] }
	count := len(records) / recordSize
	// One shard after the other is faster than all at once: what belongs to one
	// fits into the processor's cache.
	var inShard [seenShards][]restored
	for i := range inShard {
		inShard[i] = make([]restored, 0, count/seenShards+count/seenShards/8)
	}
	whole = true
	for i := range count {
		r, ok := readRecord(at(i))
		if !ok || !isWhole(at(i)) {
			whole = false
			continue
		}
		shard := shardOf(&r.key)
		inShard[shard] = append(inShard[shard], restored{r.key, r.expires, i})
	}
	keep := make([]bool, count+1) // none follows the last
	total := 0
	for i := range inShard {
		total += s.shards[i].restore(inShard[i], now, keep)
	}
	kept := make([]record, 0, total)
	for i := range count {
		if !keep[i] {
			continue
		}
		r, _ := readRecord(at(i))
		r.paired = r.paired && keep[i+1]
		kept = append(kept, r)
	}
	s.history.restore(kept, now)
	s.exact.Add(int64(len(kept)))
	return whole
}

// restored is what a shard needs to know of a record.
type restored struct {
	key     key
	expires int64
	index   int // in the file
}

// restore adds the keys of records that are in the order of the file, and marks
// which are to be kept: of several with the same key the last counts.
func (sh *seenShard) restore(records []restored, now int64, keep []bool) (kept int) {
	sh.held = make(map[key]*claim, len(records))
	forgotten := make(map[key]bool)
	for i := len(records) - 1; i >= 0; i-- {
		r := &records[i]
		if _, there := sh.held[r.key]; there || forgotten[r.key] {
			continue
		}
		switch {
		case r.expires == 0:
			forgotten[r.key] = true
		case r.expires > now:
			sh.put(r.key, nil)
			keep[r.index] = true
			kept++
		}
	}
	return kept
}
