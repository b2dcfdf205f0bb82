#include <mailroom/services/host/topic_move.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

namespace mailroom {
namespace {

constexpr duration to_arrive = std::chrono::milliseconds(500);

}  // namespace

topic_move::topic_move(running_node& in, order what)
    : in_(in), what_(std::move(what)), asked_(in.host_.now()) {}

topic_move::~topic_move() {
  in_.control_loop_.cancel(*this);
}

void topic_move::wait() {
  in_.control_loop_.arm(*this, later(asked_, what_.limit));
}

// On the control thread, but `cancel` waits for its end: so it only leaves a note.
void topic_move::on_time() noexcept {
  in_.control_loop_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->time_is_up();
    }
  });
}

void topic_move::begin() {
  has_begun_ = true;
  {
    const std::lock_guard lock(in_.endpoints_mutex_);
    for (const auto& each : in_.endpoints_of(what_.topic)) {
      add(each);
    }
  }
  if (parts_.empty()) {
    fail(stays("the node is stopping"));
    finish();
    return;
  }
  if (is_there()) {
    for (const auto& each : parts_) {
      each->at = phase::arrived;
    }
    settle();
    return;
  }
  for (const auto& each : parts_) {
    in_.runtime_->visit(each->to, [self = shared_from_this(), one = each.get()] {
      self->in_.control_loop_.post([self, one] { self->reached(*one); });
    });
  }
}

void topic_move::add(const running_node::moving_endpoint& endpoint) {
  actors::endpoint& which = *endpoint.which;
  const actors::runtime::place from{which.home(), which.worker()};
  const auto to = running_node::at_loop(what_.to, endpoint.loop);
  // On its own executor it keeps the worker that it has, unless another one is named.
  const bool here = &from.on == &to.on && to.worker.is_anywhere();
  parts_.push_back(
      std::make_unique<part>(which, from, here ? from : in_.runtime_->settle(which, to)));
}

bool topic_move::is_there() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const auto& each) {
    return &each->from.on == &each->to.on && each->from.worker == each->to.worker;
  });
}

void topic_move::reached(part& one) {
  if (one.at == phase::looking) {
    leave(one);
    settle();
  }
}

// To where it is to be now: `to`, or back.
void topic_move::leave(part& one) {
  const std::lock_guard lock(in_.endpoints_mutex_);
  if (!in_.holds(one.which)) {
    one.at = phase::stays;
    fail(stays("the node is stopping"));
    return;
  }
  one.at = goes_back_ ? phase::returning : phase::leaving;
  one.answered = false;
  one.moving = in_.runtime_->move(
      one.which,
      goes_back_ ? one.from : one.to,
      [self = shared_from_this(), &one](const result<void>& outcome) {
        one.answered = true;
        self->in_.control_loop_.post([self, &one, outcome] { self->answered(one, outcome); });
      });
}

void topic_move::answered(part& one, const result<void>& outcome) {
  if (one.at == phase::leaving) {
    one.at = outcome ? phase::arrived : phase::stays;
    if (!outcome) {
      fail(outcome.error());
    }
  } else if (one.at == phase::returning) {
    one.at = outcome ? phase::stays : phase::arrived;
  }
  settle();
}

void topic_move::fail(const error& why) {
  if (!failure_) {
    failure_ = why;
  }
}

error topic_move::stays(const std::string& why) const {
  return error(errc::expired, "'" + what_.topic + "' stays where it was: " + why);
}

void topic_move::time_is_up() {
  if (!has_begun_) {
    fail(stays("another move of it has not ended"));
    finish();
    return;
  }
  for (const auto& each : parts_) {
    if (each->at == phase::looking) {
      each->at = phase::stays;
      fail(stays("executor '" + what_.executor +
                 "' runs no turns: a handler keeps its thread (`executor ls` shows STUCK, the log "
                 "stuck_turn)"));
    }
    give_up(*each,
            stays(std::to_string(each->which.activation().running()) +
                  " of its handlers still run, or are parked on fibers, which cannot move"));
  }
  settle();
}

void topic_move::give_up(part& one, const error& why) {
  if (one.at != phase::leaving && one.at != phase::returning) {
    return;
  }
  {
    const std::lock_guard lock(in_.endpoints_mutex_);
    if (!in_.holds(one.which) || one.which.activation().withdraw(one.moving, why)) {
      return;  // It answers.
    }
  }
  if (!one.answered && !std::exchange(has_had_grace_, true)) {
    in_.control_loop_.arm(*this, in_.host_.now() + to_arrive);  // It has just set out.
  } else if (!one.answered) {
    one.at = phase::stranded;
    fail(error(errc::expired,
               "'" + what_.topic + "' has left for executor '" + what_.executor +
                   "', which runs no turns any more; it is served there as soon as it does"));
  }
}

void topic_move::stop() {
  const error why(errc::stopping, "'" + what_.topic + "' stays where it was: the node is stopping");
  fail(why);
  has_had_grace_ = true;
  if (!has_begun_) {
    finish();
    return;
  }
  for (const auto& each : parts_) {
    if (each->at == phase::looking) {
      each->at = phase::stays;
    }
    give_up(*each, why);
  }
  settle();
}

std::size_t topic_move::count(phase at) const {
  return static_cast<std::size_t>(std::count_if(
      parts_.begin(), parts_.end(), [&](const auto& each) { return each->at == at; }));
}

void topic_move::settle() {
  if (is_over_ || count(phase::looking) + count(phase::leaving) + count(phase::returning) != 0) {
    return;
  }
  if (failure_ && !goes_back_ && count(phase::arrived) != 0) {
    go_back();
  } else {
    finish();
  }
}

void topic_move::go_back() {
  goes_back_ = true;
  has_had_grace_ = false;
  in_.control_loop_.arm(*this, later(in_.host_.now(), what_.limit));
  for (const auto& each : parts_) {
    if (each->at == phase::arrived) {
      leave(*each);
    }
  }
  settle();
}

void topic_move::finish() {
  if (std::exchange(is_over_, true)) {
    return;
  }
  in_.control_loop_.cancel(*this);
  const auto self = shared_from_this();  // Those that wait are about to let it go.
  for (const auto& each : parts_) {
    each->moving.reset();  // It refers to this.
  }
  const duration took = in_.host_.now() - asked_;
  if (failure_) {
    const std::size_t away = count(phase::arrived) + count(phase::stranded);
    if (away != 0 && parts_.size() > 1) {
      failure_ =
          error(failure_->code(),
                std::string(failure_->message()) + "; " + std::to_string(away) + " of its " +
                    std::to_string(parts_.size()) + " instances are on '" + what_.executor + "'");
    }
    log::warn("move_failed",
              {{"topic", what_.topic},
               {"to", what_.executor},
               {"after", took},
               {"why", failure_->message()}});
  } else {
    if (!what_.to.worker.is_anywhere() &&
        in_.dispatcher_.set_loop(what_.topic, what_.to.worker.index())) {
      in_.topics_changed();
    }
    log::info("moved",
              {{"topic", what_.topic},
               {"from", parts_.front()->from.on.name()},
               {"to", what_.executor},
               {"after", took}});
  }
  in_.ended(*this);
  what_.tell(failure_ ? result<void>(*failure_) : result<void>());
}

}  // namespace mailroom
