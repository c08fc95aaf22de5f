package sender

import "context"

// replayHold begins the name that an instance holds while it sees to a replay;
// the replay's ID follows.
const replayHold = "replay "

// holdReplay sees to a replay if no other instance does, from where the last one
// has got. The function is told whether it is still for this one to see to.
func (s *Sender) holdReplay(ctx context.Context, id string, see func(holds func() bool)) {
	if s.shared == nil {
		see(func() bool { return true })
		return
	}
	lease := s.lease()
	mine, err := s.shared.store.Hold(ctx, replayHold+id)
	if err == nil && mine {
		err = s.readReplays(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("a replay cannot be taken up; it is tried again", "replay", id, "error", err)
	}
	if err == nil && mine {
		see(func() bool {
			_, count := s.shared.store.Instances()
			return count > 0 && lease == s.lease()
		})
	}
	if !mine {
		return
	}
	if err := s.shared.store.Release(ctx, replayHold+id); err != nil && ctx.Err() == nil {
		s.log.Warn("a replay cannot be left to other instances; they take it up when this one ends", "replay", id, "error", err)
	}
}
