#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>

#include <execinfo.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

namespace mailroom::executors {
namespace {

constexpr std::size_t max_frames = 64;
// A thread in a system call that nothing interrupts (a dead disk) does not answer.
constexpr auto patience = std::chrono::milliseconds(500);

thread_local constinit std::atomic<turn_mark*> marks_here{nullptr};

// Where the signal handler runs: a fiber's own stack may be small and nearly used up. A thread that
// has such a stack already (sanitizers see to it) keeps that.
class signal_stack {
 public:
  signal_stack() {
    stack_t before{};
    if (::sigaltstack(nullptr, &before) != 0 || (before.ss_flags & SS_DISABLE) == 0) {
      return;
    }
    const auto size = std::max(std::size_t{64} << 10U, static_cast<std::size_t>(SIGSTKSZ));
    memory_ = std::make_unique_for_overwrite<std::byte[]>(size);
    stack_t here{};
    here.ss_sp = memory_.get();
    here.ss_size = size;
    ::sigaltstack(&here, nullptr);
  }
  ~signal_stack() {
    if (memory_) {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
  }
  signal_stack(const signal_stack&) = delete;
  signal_stack& operator=(const signal_stack&) = delete;

 private:
  std::unique_ptr<std::byte[]> memory_;
};

// Takes the highest real-time signal that nobody handles; 0 if there is none.
int take_signal(void (*handler)(int, siginfo_t*, void*)) noexcept {
  // The first call loads the unwinder, which a signal handler must not.
  std::array<void*, 4> frames{};
  ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int number = SIGRTMAX; number >= SIGRTMIN; --number) {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 ||
        now.sa_handler != SIG_DFL) {
      continue;
    }
    struct sigaction ours {};
    ours.sa_sigaction = handler;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ::sigemptyset(&ours.sa_mask);
    return ::sigaction(number, &ours, nullptr) == 0 ? number : 0;
  }
  return 0;
}

void* interrupted_at(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<void*>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return reinterpret_cast<void*>(machine.pc);
#else
  static_cast<void>(machine);
  return nullptr;
#endif
}

}  // namespace

/// What a stuck thread is asked and answers. Made before, since its signal handler may not
/// allocate.
class turn_watch::capture {
 public:
  capture() noexcept { ::sem_init(&told_, 0, 0); }
  ~capture() { ::sem_destroy(&told_); }
  capture(const capture&) = delete;
  capture& operator=(const capture&) = delete;

  /// The watch's. False: what was answered before is still to be told.
  bool ask(time_point::rep turn) noexcept {
    if (in_use_.exchange(true, std::memory_order_acquire)) {
      return false;
    }
    asked_.store(turn, std::memory_order_release);
    return true;
  }
  /// The teller's: it has read what it wanted to.
  void release() noexcept { in_use_.store(false, std::memory_order_release); }
  bool answered(time_point::rep turn) const noexcept {
    return answered_.load(std::memory_order_acquire) == turn;
  }
  /// The teller's. False: it gives no answer within `limit`.
  bool wait(time_point::rep turn, duration limit) noexcept {
    const auto until = (clock::now() + limit).time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(until);
    const timespec at{seconds.count(), (until - seconds).count()};
    // It may have been posted for a turn before.
    while (!answered(turn)) {
      if (::sem_clockwait(&told_, CLOCK_MONOTONIC, &at) != 0 && errno != EINTR) {
        return answered(turn);
      }
    }
    return true;
  }

  /// The thread's, in its signal handler; `turn` is the one that it is in.
  void answer(time_point::rep turn, const options& with, const void* context) noexcept {
    if (asked_.load(std::memory_order_acquire) != turn || answered(turn)) {
      return;
    }
    count_ = static_cast<std::size_t>(
        std::max(0, ::backtrace(frames_.data(), static_cast<int>(frames_.size()))));
    interrupted_at_ = interrupted_at(context);
    subject_.name_size = 0;
    subject_.call = 0;
    if (with.subject != nullptr) {
      with.subject(subject_);
    }
    answered_.store(turn, std::memory_order_release);
    ::sem_post(&told_);  // One of the few things that a signal handler may do.
  }

  /// When it has answered.
  void tell(stuck_turn& into) const {
    into.handler.assign(subject_.name.data(), subject_.name_size);
    into.call = subject_.call;
    // The signal's own frames stand before the place that it interrupted.
    const auto end = frames_.begin() + static_cast<std::ptrdiff_t>(count_);
    const auto at = std::find(frames_.begin(), end, interrupted_at_);
    into.stack.assign(at != end ? at : frames_.begin(), end);
  }

 private:
  std::atomic<time_point::rep> asked_{turn_mark::none};
  std::atomic<time_point::rep> answered_{turn_mark::none};
  std::atomic<bool> in_use_{false};
  sem_t told_{};
  // Written in the signal handler, of which there is one at a time: it ends before the turn does.
  std::array<void*, max_frames> frames_{};
  std::size_t count_ = 0;
  void* interrupted_at_ = nullptr;
  turn_subject subject_;
};

struct turn_watch::found {
  std::shared_ptr<capture> from;  // The mark may go meanwhile.
  time_point::rep turn;
  stuck_turn what;
};

// ---- marks

turn_mark::turn_mark(turn_watch* by, executor& of)
    : by_(by),
      of_(of),
      capture_(by != nullptr ? std::make_shared<turn_watch::capture>() : nullptr) {}

turn_mark::~turn_mark() {
  leave();
}

void turn_mark::on_signal(int /*number*/, siginfo_t* /*info*/, void* interrupted) {
  const int kept = errno;
  for (turn_mark* each = marks_here.load(std::memory_order_relaxed); each != nullptr;
       each = each->next_.load(std::memory_order_relaxed)) {
    const auto since = each->since_.load(std::memory_order_relaxed);
    if (since != none) {
      each->capture_->answer(since, each->by_->with_, interrupted);
    }
  }
  errno = kept;
}

namespace {

int signal_number(void (*handler)(int, siginfo_t*, void*)) noexcept {
  static const int number = take_signal(handler);
  return number;
}

}  // namespace

void turn_mark::enter() {
  if (by_ == nullptr) {
    return;
  }
  assert(!entered_);
  thread_local const signal_stack stack;
  if (const int number = signal_number(&on_signal); number != 0) {
    sigset_t ours;
    ::sigemptyset(&ours);
    ::sigaddset(&ours, number);
    ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
  }
  thread_ = ::pthread_self();
  std::array<char, 16> name{};
  ::pthread_getname_np(thread_, name.data(), name.size());
  thread_name_ = name.data();
  next_.store(marks_here.load(std::memory_order_relaxed), std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_release);
  marks_here.store(this, std::memory_order_relaxed);
  entered_ = true;
  const std::lock_guard lock(by_->marks_mutex_);
  by_->marks_.push_back(this);
}

void turn_mark::leave() noexcept {
  if (!std::exchange(entered_, false)) {
    return;
  }
  {
    const std::lock_guard lock(by_->marks_mutex_);  // After it nobody sends the thread a signal.
    std::erase(by_->marks_, this);
  }
  rest();
  // A thread that has ended took its list along; its handle may be another's by now, whose list
  // does not have this mark.
  for (auto* at = &marks_here; at->load(std::memory_order_relaxed) != nullptr;
       at = &at->load(std::memory_order_relaxed)->next_) {
    if (at->load(std::memory_order_relaxed) == this) {
      at->store(next_.load(std::memory_order_relaxed), std::memory_order_relaxed);
      break;
    }
  }
  std::atomic_signal_fence(std::memory_order_release);
}

duration turn_mark::age() const noexcept {
  const auto since = since_.load(std::memory_order_relaxed);
  return by_ == nullptr || since == none
             ? duration::zero()
             : std::max<duration>(duration::zero(),
                                  by_->with_.host->now() - time_point(duration(since)));
}

bool turn_mark::is_stuck() const noexcept {
  return by_ != nullptr && age() >= by_->with_.limit;
}

// A turn that does not end would not be seen in figures that count it when it has.
void turn_mark::add_to(statistics& sum) const noexcept {
  sum.stuck_turns += reported_turns_.load(std::memory_order_relaxed);
  const duration so_far = age();
  sum.busy += so_far;
  sum.longest_turn = std::max(sum.longest_turn, so_far);
  if (by_ != nullptr && so_far >= by_->with_.limit) {
    ++sum.stuck;
  }
}

// ---- the watch

turn_watch::turn_watch(event_loop& on, options with)
    : source(event_loop::phase::work), loop_(on), with_(std::move(with)) {
  assert(with_.limit > duration(0) && with_.report);
}

turn_watch::~turn_watch() {
  if (!closed_) {
    close();
  }
  if (teller_.joinable()) {
    teller_.join();
  }
}

void turn_watch::close() noexcept {
  closed_ = true;
  asleep_.store(false);
  timer_queue::cancel(*this);
  loop_.forget(*this);
}

void turn_watch::wake(time_point begun) noexcept {
  if (asleep_.exchange(false)) {
    arm(begun + with_.limit);
  }
}

void turn_watch::arm(time_point due) noexcept {
  due_.store(due.time_since_epoch().count(), std::memory_order_relaxed);
  loop_.arm(*this, due);
}

void turn_watch::on_ready() noexcept {
  if (closed_) {
    return;
  }
  const time_point now = with_.host->now();
  const auto due = time_point(duration(due_.load(std::memory_order_relaxed)));
  // A watch that comes late has been held up itself (a stopped process, a machine that is far too
  // busy), and so have those it watches: they get some time, once.
  excused_ = !excused_ && now - due > with_.limit / 2;
  if (excused_) {
    arm(now + with_.limit / 4);
    return;
  }
  time_point next = time_point::max();
  std::vector<found> stuck;
  if (look(now, next, stuck)) {
    asleep_.store(false);
    arm(next);
  } else if (!asleep_.load()) {
    // One more look: by then every turn is seen that began without having seen that this sleeps.
    arm(now + with_.limit);
    asleep_.store(true);
  }
  if (!stuck.empty()) {
    hand_over(stuck);
  }
}

// True if anybody is in a turn; `next` is when the next look is due then.
bool turn_watch::look(time_point now, time_point& next, std::vector<found>& stuck) {
  const std::lock_guard lock(marks_mutex_);
  for (turn_mark* const each : marks_) {
    const auto since = each->since_.load(std::memory_order_relaxed);
    if (since == turn_mark::none) {
      continue;
    }
    const time_point begun{duration(since)};
    next = std::min(next, begun + with_.limit > now ? begun + with_.limit : now + with_.limit);
    if (now - begun < with_.limit || each->reported_ == since || !each->capture_->ask(since)) {
      continue;
    }
    each->reported_ = since;
    each->reported_turns_.fetch_add(1, std::memory_order_relaxed);
    if (const int number = signal_number(&turn_mark::on_signal); number != 0) {
      ::pthread_kill(each->thread_, number);
    }
    const bool relieved = each->of_.relieve(*each);
    stuck.push_back({each->capture_,
                     since,
                     {.executor = each->of_.name(),
                      .thread = each->thread_name_,
                      .handler = {},
                      .call = 0,
                      .age = now - begun,
                      .relieved = relieved,
                      .stack = {}}});
  }
  return next != time_point::max();
}

// Not on the loop's thread: waiting for answers, reading symbols and writing to a log that blocks
// would hold up heartbeats.
void turn_watch::hand_over(std::vector<found>& stuck) noexcept {
  {
    const std::lock_guard lock(untold_mutex_);
    std::move(stuck.begin(), stuck.end(), std::back_inserter(untold_));
    if (std::exchange(telling_, true)) {
      return;
    }
  }
  if (teller_.joinable()) {
    teller_.join();  // It has said that it tells no more.
  }
  try {
    teller_ = with_.host->start_thread("mr-watch", [this] { tell(); });
  } catch (const std::exception&) {
    std::vector<found> all;
    {
      const std::lock_guard lock(untold_mutex_);
      all.swap(untold_);
      telling_ = false;
    }
    for (const found& each : all) {
      tell_of(each, false);
    }
  }
}

void turn_watch::tell() noexcept {
  for (;;) {
    std::vector<found> all;
    {
      const std::lock_guard lock(untold_mutex_);
      all.swap(untold_);
      if (all.empty()) {
        telling_ = false;
        return;
      }
    }
    for (const found& each : all) {
      tell_of(each, true);
    }
  }
}

void turn_watch::tell_of(const found& one, bool wait) noexcept {
  try {
    stuck_turn what = one.what;
    if (one.from->wait(one.turn, wait ? patience : duration::zero())) {
      one.from->tell(what);
    }
    one.from->release();
    with_.report(what);
  } catch (const std::exception&) {
    // Out of memory, most likely: there is no more to be told.
  }
}

}  // namespace mailroom::executors
