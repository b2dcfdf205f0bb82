#include <mailroom/framework/directory/embedded_source.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::directory {
namespace {

// Long, since a question that nothing answers costs a message all the same.
constexpr std::chrono::milliseconds longest_wait = std::chrono::seconds(30);

}  // namespace

embedded_source::embedded_source(executors::event_loop& loop,
                                 platform& host,
                                 std::string address,
                                 const wire::identity& self,
                                 ask_verb ask,
                                 observer& tells)
    : host_(host),
      address_(std::move(address)),
      incarnation_(self),
      ask_(std::move(ask)),
      observer_(tells),
      alarm_(loop, [this] { on_alarm(); }) {}

// ---------------------------------------------------------------- the link

void embedded_source::link_up() {
  ++link_;
  is_up_ = true;
  state_ = state::reached;
  why_.clear();
  entering_ = enter_again_ = registered_ = renewing_ = false;
  question_ = 0;
  asked_.clear();
  renew_at_ = ask_at_ = time_point::max();
  enter();
  ask();
  observer_.on_changed(*this);
}

void embedded_source::link_down(const error& why) {
  ++link_;
  is_up_ = false;
  state_ = state::unreached;
  why_ = why.message();
  question_ = 0;
  asked_.clear();
  alarm_.off();
  all_taken();
  observer_.on_changed(*this);
}

void embedded_source::on_alarm() {
  const time_point now = host_.now();
  if (renew_at_ <= now) {
    renew_at_ = now + period_;
    registered_ ? renew() : enter();
  }
  if (ask_at_ <= now) {
    ask_at_ = time_point::max();
    ask();
  }
  alarm_.set(std::min(renew_at_, ask_at_));
}

// ---------------------------------------------------------------- what this node is

void embedded_source::publish(const registration& self, std::function<void()> told) {
  self_ = self;
  taken_.push_back(std::move(told));
  if (is_up_) {
    enter();
  } else if (state_ == state::unreached) {
    all_taken();
  }
}

void embedded_source::all_taken() {
  for (const auto& each : std::exchange(taken_, {})) {
    each();
  }
}

void embedded_source::enter() {
  if (!self_) {
    return;
  }
  if (entering_) {
    enter_again_ = true;
    return;
  }
  entering_ = true;
  wire::buffer what;
  write(what, *self_);
  ask_(register_verb, what.bytes(), [this, link = link_](const result<bytes>& told) {
    if (link == link_) {
      entered(told);
    }
  });
}

std::string embedded_source::why_not(const error& told) const {
  return told == errc::no_such_method ? address_ + " is a node, but no directory"
                                      : address_ + ": " + told.to_string();
}

void embedded_source::entered(const result<bytes>& told) {
  entering_ = false;
  const auto got = told ? read_receipt(told->view()) : result<receipt>(told.error());
  registered_ = got && got->as == standing::accepted;
  if (got) {
    period_ = std::chrono::milliseconds(got->renew_ms);
  }
  if (!registered_ && !std::exchange(complained_, true)) {
    log::warn(
        "not_registered",
        {{"directory", address_},
         {"reason",
          got ? "a newer incarnation holds the address " + self_->address : why_not(got.error())}});
  } else if (registered_) {
    complained_ = false;
  }
  renew_at_ = host_.now() + period_;
  alarm_.set(std::min(renew_at_, ask_at_));
  if (std::exchange(enter_again_, false)) {
    enter();
    return;
  }
  all_taken();
}

void embedded_source::renew() {
  if (std::exchange(renewing_, true)) {
    return;
  }
  wire::buffer what;
  write(what, incarnation_);
  ask_(renew_verb, what.bytes(), [this, link = link_](const result<bytes>& told) {
    if (link != link_) {
      return;
    }
    renewing_ = false;
    const auto known = told ? wire::unpack<bool>(told->view()) : result<bool>(told.error());
    if (known && !*known) {
      registered_ = false;
      enter();
    }
  });
}

void embedded_source::close(const farewell& last) noexcept {
  alarm_.off();
  if (is_up_) {
    wire::buffer what;
    write(what, last);
    ask_(leave_verb, what.bytes(), [](const result<bytes>&) {});
  }
  ++link_;
  is_up_ = false;
  question_ = 0;
  self_.reset();
  state_ = state::unreached;
  all_taken();
}

// ---------------------------------------------------------------- what others are

void embedded_source::watch(const key& what) {
  if (known_.contains(what) || !fresh_.insert(what).second) {
    return;
  }
  ask();
}

void embedded_source::ask() {
  // One question is out; a second may overtake it, if it asks for more.
  const bool is_more = asked_.empty() && !fresh_.empty();
  if (!is_up_ || (question_ != 0 && !is_more) || (known_.empty() && fresh_.empty())) {
    return;
  }
  question asked;
  asked.watcher = incarnation_;
  asked.epoch = epoch_;
  asked.revision = revision_;
  asked.keys.assign(known_.begin(), known_.end());
  asked.fresh.assign(fresh_.begin(), fresh_.end());
  asked.wait_ms = static_cast<std::uint32_t>(longest_wait.count());
  asked_ = fresh_;
  question_ = ++last_question_;
  wire::buffer what;
  write(what, asked);
  ask_(watch_verb, what.bytes(), [this, number = question_](const result<bytes>& answered) {
    told(number, answered);
  });
}

void embedded_source::told(std::uint64_t question, const result<bytes>& what) {
  if (question != question_) {
    return;  // A newer one asks for all that this one did.
  }
  question_ = 0;
  const auto got = what ? read_news(what->view()) : result<news>(what.error());
  if (!got) {
    // It answers, but not as a directory does: as good as out of reach for whoever waits for it.
    asked_.clear();
    state_ = state::unreached;
    why_ = why_not(got.error());
    observer_.on_changed(*this);
    ask_at_ = host_.now() + period_;
    alarm_.set(std::min(renew_at_, ask_at_));
    return;
  }
  const bool was_reached = std::exchange(state_, state::reached) == state::reached;
  epoch_ = got->epoch;
  revision_ = got->revision;
  settled_at_ = host_.now() + std::chrono::milliseconds(got->settling_ms);
  const bool more_is_known = !asked_.empty();
  for (const auto& each : std::exchange(asked_, {})) {
    known_.insert(each);
    fresh_.erase(each);
  }
  if (!got->is_empty()) {
    observer_.on_news(*this, *got);
  }
  if (!was_reached || more_is_known || !got->is_empty()) {
    observer_.on_changed(*this);
  }
  ask();
}

}  // namespace mailroom::directory
