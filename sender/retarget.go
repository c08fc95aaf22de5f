package sender

import (
	"reflect"
	"time"

	"golang.org/x/time/rate"
)

// retarget changes where and how the lane delivers, from the next attempt on.
// A change of the endpoint gives it a fresh start, except that one made at run
// time stays disabled until it is activated.
func (l *lane) retarget(t *target, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.target != nil && t != nil && !reflect.DeepEqual(l.target.config, t.config) && !l.health.TestedAt.IsZero() {
		l.health.TestedAt = time.Time{}
		l.s.unhealthy.add(l)
	}
	l.setTarget(t)
	if changed {
		disabled := l.health.Disabled
		l.beginAnew()
		switch {
		case t == nil:
		case t.managed:
			l.health.Disabled = disabled
		case l.part != nil && l.part.kept.Disabled == "" && l.part.kept.Settings == t.fingerprint():
			// Another instance was given the configuration before, and has told.
		default:
			l.tellEnabled(disabled)
		}
		l.s.unhealthy.add(l)
	}
	if !l.open() {
		l.setAlarm(time.Time{})
		l.unload()
	}
	l.pump()
}

// delete lets go of an endpoint that is no more. What comes of it afterwards is
// cancelled.
func (l *lane) delete() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted = true
	l.setTarget(nil)
	l.setAlarm(time.Time{})
	l.unload()
	l.pump()
}

func (l *lane) setTarget(t *target) {
	l.target = t
	switch {
	case t == nil || t.rate == nil:
		l.limiter = nil
	case l.limiter == nil:
		l.limiter = rate.NewLimiter(rate.Limit(t.rate.PerSecond()), t.rate.BurstSize())
	default:
		now := l.s.clock.Now()
		l.limiter.SetLimitAt(now, rate.Limit(t.rate.PerSecond()))
		l.limiter.SetBurstAt(now, t.rate.BurstSize())
	}
}
