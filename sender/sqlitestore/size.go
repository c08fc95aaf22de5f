package sqlitestore

import "context"

// Size implements [sender.Store]. The log beside the file is not counted.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	err = s.read(ctx, "reading its size", func(r *reader) error {
		pages, err := number(r.conn, "PRAGMA page_count")
		if err != nil {
			return err
		}
		free, err := number(r.conn, "PRAGMA freelist_count")
		if err != nil {
			return err
		}
		bytes, err := number(r.conn, "PRAGMA page_size")
		size = (pages - free) * bytes
		return err
	})
	return size, err
}
