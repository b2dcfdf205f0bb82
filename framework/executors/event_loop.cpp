#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::executors {
namespace {

// A loop that always has something ready looks at its descriptors this often: seldom enough to be
// free, often enough that a new connection or a quiet peer is not kept waiting.
constexpr unsigned passes_per_poll = 16;
constexpr duration time_per_poll = 200us;

thread_local event_loop* current_loop = nullptr;

}  // namespace

class event_loop::impl {
 public:
  impl(event_loop& self, std::string name, platform& host)
      : self_(self),
        name_(std::move(name)),
        host_(host),
        watched_(io_, watches_.descriptor()),
        posted_source_(*this),
        watch_source_(*this),
        now_(host.now()) {}

  ~impl() {
    stop();
    watched_.release();  // Its set closes it.
  }

  void start() {
    assert(!thread_.joinable());
    thread_ = host_.start_thread(name_, [this] { run(); });
    exists_.store(true);
  }

  void stop() {
    if (thread_.joinable()) {
      assert(!self_.on_loop_thread());
      stopping_.store(true);
      wake();
      thread_.join();
      exists_.store(false);
    }
    std::vector<std::function<void()>> unrun;  // Their destructors may post.
    const std::lock_guard lock(posted_mutex_);
    posted_closed_ = true;
    unrun.swap(posted_);
    // `unrun` was declared before `lock` and so dies after it.
  }

  bool is_running() const noexcept { return exists_.load(); }
  boost::asio::io_context& io() noexcept { return io_; }
  time_point now() const noexcept { return now_; }

  void ready(source& s) noexcept {
    if (!s.ready_) {
      s.ready_ = true;
      ready_[static_cast<std::size_t>(s.phase_)].push_back(&s);
    }
  }

  void notify(source& s) noexcept {
    if (current_loop == &self_) {
      ready(s);
      return;
    }
    // Who finds the source in the list already may go: the loop takes it out (with acquire) before
    // it calls it, and so sees what was published before this line.
    if (s.notified_.exchange(true, std::memory_order_acq_rel)) {
      return;
    }
    source* head = notified_.load(std::memory_order_relaxed);
    do {
      s.next_notified_ = head;
    } while (!notified_.compare_exchange_weak(head, &s));
    wake();
  }

  void forget(source& s) noexcept {
    take_notified();
    if (s.ready_) {
      s.ready_ = false;
      auto& waiting = ready_[static_cast<std::size_t>(s.phase_)];
      waiting.erase(std::remove(waiting.begin(), waiting.end(), &s), waiting.end());
      std::replace(running_.begin(), running_.end(), &s, static_cast<source*>(nullptr));
    }
  }

  void post(std::function<void()> task) {
    {
      const std::lock_guard lock(posted_mutex_);
      if (posted_closed_) {
        return;
      }
      posted_.push_back(std::move(task));
    }
    notify(posted_source_);
  }

  void arm(timer& t, time_point due) noexcept {
    // On the loop's own thread nobody sleeps: it looks before it does.
    if (timers_.arm(t, due) && current_loop != &self_) {
      wake();
    }
  }

  statistics stats() const noexcept {
    return {passes_.get(),
            sleeps_.get(),
            wakeups_.load(std::memory_order_relaxed),
            watches_.size(),
            sleeping_.load(std::memory_order_relaxed)};
  }

 private:
  class posted_source final : public source {
   public:
    explicit posted_source(impl& loop) noexcept : source(phase::input), loop_(loop) {}
    void on_ready() noexcept override { loop_.run_posted(); }

   private:
    impl& loop_;
  };

  class watch_source final : public source {
   public:
    explicit watch_source(impl& loop) noexcept : source(phase::input), loop_(loop) {}
    void on_ready() noexcept override {
      loop_.watches_.tell();
      loop_.wait_for_watched();
    }

   private:
    impl& loop_;
  };

  void wait_for_watched() noexcept {
    watched_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                        [this](const boost::system::error_code& failure) {
                          if (!failure) {
                            ready(watch_source_);
                          }
                        });
  }

  void run() noexcept {
    current_loop = &self_;
    wait_for_watched();
    now_ = host_.now();
    time_point polled = now_;
    unsigned passes_since = 0;
    for (;;) {
      const bool last = stopping_.load();
      passes_.add();
      take_notified();
      for (auto& waiting : ready_) {
        run_phase(waiting);
      }
      if (timers_.next() <= now_) {
        timers_.fire(now_);
      }
      if (last) {
        break;
      }
      if (something_ready()) {
        if (++passes_since >= passes_per_poll || now_ - polled >= time_per_poll) {
          io_.poll();
          polled = now_;
          passes_since = 0;
        }
        now_ = host_.now();
      } else {
        sleep();
        polled = now_;
        passes_since = 0;
      }
    }
    current_loop = nullptr;
  }

  bool something_ready() const noexcept {
    return !ready_[0].empty() || !ready_[1].empty() || !ready_[2].empty();
  }

  void run_phase(std::vector<source*>& waiting) noexcept {
    if (waiting.empty()) {
      return;
    }
    running_.swap(waiting);
    for (std::size_t i = 0; i != running_.size(); ++i) {
      source* const s = std::exchange(running_[i], nullptr);
      if (s != nullptr) {  // Null: forgotten by one before it.
        s->ready_ = false;
        s->on_ready();
      }
    }
    running_.clear();
  }

  void take_notified() noexcept {
    if (notified_.load(std::memory_order_relaxed) == nullptr) {
      return;
    }
    source* newest = notified_.exchange(nullptr, std::memory_order_acquire);
    source* oldest = nullptr;
    while (newest != nullptr) {
      source* const older = std::exchange(newest->next_notified_, oldest);
      oldest = std::exchange(newest, older);
    }
    while (oldest != nullptr) {
      source& s = *oldest;
      oldest = s.next_notified_;
      s.notified_.exchange(false,
                           std::memory_order_acq_rel);  // From here on others may push it again.
      ready(s);
    }
  }

  // Announce, look again, sleep: see parker.hpp. Here asio is where the thread sleeps.
  void sleep() noexcept {
    sleeping_.store(true);
    if (notified_.load() == nullptr && !stopping_.load() && set_alarm()) {
      sleeps_.add();
      io_.run_one();
    }
    sleeping_.store(false, std::memory_order_relaxed);
    now_ = host_.now();
  }

  // Has the sleep end when the earliest timer is due; false if that is now. An alarm that rings too
  // early, because its timer was cancelled meanwhile, is cheaper than setting it anew each time.
  bool set_alarm() noexcept {
    const time_point next = timers_.next();
    if (next >= alarm_at_) {
      return true;
    }
    if (next <= host_.now()) {
      return false;
    }
    alarm_at_ = next;
    alarm_.expires_at(next);
    alarm_.async_wait([this](const boost::system::error_code& failure) {
      if (!failure) {
        alarm_at_ = time_point::max();
      }
    });
    return true;
  }

  void wake() noexcept {
    if (sleeping_.load() && sleeping_.exchange(false)) {
      wakeups_.fetch_add(1, std::memory_order_relaxed);
      boost::asio::post(io_, [] {});
    }
  }

  void run_posted() noexcept {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(posted_mutex_);
      tasks.swap(posted_);
    }
    for (auto& task : tasks) {
      task();
      task = nullptr;
    }
  }

  event_loop& self_;
  const std::string name_;
  platform& host_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stay_{
      io_.get_executor()};
  boost::asio::steady_timer alarm_{io_};
  time_point alarm_at_ = time_point::max();
  watch_set watches_;
  boost::asio::posix::stream_descriptor watched_;  // The set's own descriptor.
  timer_queue timers_;
  std::thread thread_;
  std::atomic<bool> exists_{false};

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;  // Guarded by posted_mutex_.
  bool posted_closed_ = false;                 // Guarded by posted_mutex_.
  posted_source posted_source_;
  watch_source watch_source_;

  // The loop's thread only.
  std::array<std::vector<source*>, 3> ready_;
  std::vector<source*> running_;  // The phase that is running.
  time_point now_;
  counter passes_;
  counter sleeps_;

  // What other threads touch.
  alignas(64) std::atomic<source*> notified_{nullptr};
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> wakeups_{0};

 public:
  timer_queue& timers() noexcept { return timers_; }
  watch_set& watches() noexcept { return watches_; }
};

event_loop::event_loop(std::string thread_name, platform& host)
    : impl_(std::make_unique<impl>(*this, std::move(thread_name), host)) {}
event_loop::~event_loop() = default;

event_loop* event_loop::current() noexcept {
  return current_loop;
}

void event_loop::start() {
  impl_->start();
}
void event_loop::stop() {
  impl_->stop();
}
bool event_loop::is_running() const noexcept {
  return impl_->is_running();
}
boost::asio::io_context& event_loop::io() noexcept {
  return impl_->io();
}
time_point event_loop::now() const noexcept {
  return impl_->now();
}
void event_loop::append_ready(source& s) noexcept {
  impl_->ready(s);
}
void event_loop::notify(source& s) noexcept {
  impl_->notify(s);
}
void event_loop::forget(source& s) noexcept {
  impl_->forget(s);
}
void event_loop::post(std::function<void()> task) {
  impl_->post(std::move(task));
}
void event_loop::arm(timer& t, time_point due) noexcept {
  impl_->arm(t, due);
}
void event_loop::cancel(timer& t) noexcept {
  timer_queue::cancel(t);
}
std::error_code event_loop::watch(descriptor_watch& w, int descriptor, readiness what) {
  return impl_->watches().begin(w, descriptor, what);
}
void event_loop::unwatch(descriptor_watch& w) noexcept {
  impl_->watches().end(w);
}
event_loop::statistics event_loop::stats() const noexcept {
  return impl_->stats();
}

}  // namespace mailroom::executors
