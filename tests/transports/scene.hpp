#pragma once

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mailroom::tests {

inline constexpr auto patience = std::chrono::seconds(30);

/// Bytes that tell `number` and whether anything was changed on the way.
inline wire::buffer numbered(std::size_t size, std::uint32_t number) {
  wire::buffer made(size);
  std::byte* const at = made.extend(size);
  for (std::size_t i = 0; i != size; ++i) {
    at[i] = static_cast<std::byte>((number + i * 7 + (i >> 8)) & 255U);
  }
  if (size >= sizeof number) {
    std::memcpy(at, &number, sizeof number);
  }
  return made;
}

inline bool is_numbered(const wire::frame& seen, std::size_t size, std::uint32_t number) {
  const wire::buffer expected = numbered(size, number);
  return std::ranges::equal(seen.bytes(), expected.bytes());
}

/// An event loop with its thread.
class running_loop {
 public:
  explicit running_loop(const std::string& name) : loop_(name, platform::system()) {
    loop_.start();
  }
  ~running_loop() { loop_.stop(); }

  executors::event_loop& get() noexcept { return loop_; }

  /// Runs `what` on the loop's thread and waits for it.
  template <class Function>
  auto call(Function what) {
    std::packaged_task<decltype(what())()> task(std::move(what));
    auto answer = task.get_future();
    loop_.post([&task] { task(); });
    const auto done = answer.wait_for(patience);
    BOOST_REQUIRE((done == std::future_status::ready));  // Not while there are checks on the loop.
    return answer.get();
  }

 private:
  executors::event_loop loop_;
};

/// Remembers what happened on a link; tests wait for it. Hooks run on the loop's thread.
class recorder final : public rpc::link_observer {
 public:
  std::function<void(rpc::link&)> when_open;
  std::function<void(rpc::link&, const wire::frame&)> when_frame;
  std::function<void(rpc::link&)> when_writable;
  std::function<void(rpc::link&)> when_closed;
  bool keep_frames = true;

  void on_open(rpc::link& on) noexcept override {
    note([&] {
      link_ = &on;
      ++opened_;
    });
    if (when_open) {
      when_open(on);
    }
  }

  void on_frame(rpc::link& on, wire::frame received) noexcept override {
    if (when_frame) {
      when_frame(on, received);
    }
    note([&] {
      link_ = &on;
      bytes_ += received.size();
      ++frames_seen_;
      if (keep_frames) {
        frames_.push_back(std::move(received));
      }
    });
  }

  void on_writable(rpc::link& on) noexcept override {
    if (when_writable) {
      when_writable(on);
    }
    note([&] { ++writable_; });
  }

  void on_closed(rpc::link& on, const error& why) noexcept override {
    if (when_closed) {
      when_closed(on);
    }
    note([&] {
      ++closed_;
      why_ = why;
    });
  }

  bool wait_open() {
    return wait([this] { return opened_ != 0; });
  }
  bool wait_frames(std::size_t count) {
    return wait([this, count] { return frames_seen_ >= count; });
  }
  bool wait_writable() {
    return wait([this] { return writable_ != 0; });
  }
  bool wait_closed() {
    return wait([this] { return closed_ != 0; });
  }

  std::size_t opened() const { return read(opened_); }
  std::size_t frames_seen() const { return read(frames_seen_); }
  std::size_t bytes() const { return read(bytes_); }
  std::size_t closed() const { return read(closed_); }
  std::size_t callbacks() const { return read(callbacks_); }
  wire::frame frame(std::size_t at) const {
    const std::lock_guard held(mutex_);
    return frames_.at(at);
  }
  error why() const {
    const std::lock_guard held(mutex_);
    return why_;
  }
  /// Only to be used on the loop's thread.
  rpc::link& link() const {
    const std::lock_guard held(mutex_);
    return *link_;
  }
  void set_link(rpc::link& one) {
    const std::lock_guard held(mutex_);
    link_ = &one;
  }

 private:
  template <class Change>
  void note(Change change) {
    const std::lock_guard held(mutex_);
    ++callbacks_;
    change();
    changed_.notify_all();
  }

  template <class Condition>
  bool wait(Condition met) {
    std::unique_lock held(mutex_);
    return changed_.wait_for(held, patience, met);
  }

  std::size_t read(const std::size_t& field) const {
    const std::lock_guard held(mutex_);
    return field;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  rpc::link* link_ = nullptr;
  std::size_t opened_ = 0;
  std::size_t frames_seen_ = 0;
  std::size_t bytes_ = 0;
  std::size_t writable_ = 0;
  std::size_t closed_ = 0;
  std::size_t callbacks_ = 0;
  std::vector<wire::frame> frames_;
  error why_{errc::ok};
};

/// Accepts everybody, or nobody, and gives each a recorder.
class door final : public rpc::acceptor {
 public:
  bool refuses = false;
  std::function<void(recorder&)> prepare;  ///< Called for each new recorder.

  rpc::link_observer* on_accept(rpc::link& opened) noexcept override {
    const std::lock_guard held(mutex_);
    ++asked_;
    changed_.notify_all();
    if (refuses) {
      return nullptr;
    }
    auto& one = recorders_.emplace_back();
    one.set_link(opened);
    if (prepare) {
      prepare(one);
    }
    return &one;
  }

  /// The recorder of the link that was accepted as number `at`, once there is one.
  recorder& accepted(std::size_t at) {
    std::unique_lock held(mutex_);
    BOOST_REQUIRE(changed_.wait_for(held, patience, [&] { return recorders_.size() > at; }));
    return recorders_[at];
  }

  std::size_t asked() const {
    const std::lock_guard held(mutex_);
    return asked_;
  }

  std::size_t size() const {
    const std::lock_guard held(mutex_);
    return recorders_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<recorder> recorders_;
  std::size_t asked_ = 0;
};

/// Sends numbered frames as fast as the link takes them, on the loop's thread.
class stream {
 public:
  stream(recorder& through, std::size_t count, std::size_t size)
      : recorder_(through), count_(count), size_(size) {
    recorder_.when_writable = [this](rpc::link& to) { run(to); };
  }
  ~stream() { recorder_.when_writable = nullptr; }

  void run(rpc::link& to) {
    while (sent_ != count_) {
      if (!waiting_) {
        waiting_ = numbered(size_, static_cast<std::uint32_t>(sent_));
      }
      if (!to.send(*waiting_)) {
        return;
      }
      waiting_.reset();
      ++sent_;
    }
  }

 private:
  recorder& recorder_;
  std::size_t count_;
  std::size_t size_;
  std::size_t sent_ = 0;
  std::optional<wire::buffer> waiting_;
};

/// A listening node and diallers, each side on a loop of its own unless told otherwise.
template <class Wiring>
class scene {
 public:
  enum class loops { one, two };

  explicit scene(rpc::transport::limits bounds = {}, loops how_many = loops::two)
      : near_(Wiring::make(bounds)), far_(Wiring::make(bounds)), one_(how_many == loops::one) {
    listen();
  }

  ~scene() {
    far_loop().call([this] { far_.reset(); });
    near_loop_.call([this] {
      port_.reset();
      near_.reset();
    });
  }

  running_loop& near_loop() { return near_loop_; }
  running_loop& far_loop() { return one_ ? near_loop_ : *far_loop_; }
  rpc::transport& near() { return *near_; }
  rpc::transport& far() { return *far_; }
  door& accepts() { return door_; }
  const std::string& address() const { return address_; }

  void close_port() {
    near_loop_.call([this] { port_.reset(); });
  }

  /// The transport of the diallers ends, as that of a node that stops.
  void end_far() {
    far_loop().call([this] { far_.reset(); });
  }

  /// One that lives as long as the links that it observes.
  recorder& make_recorder() { return recorders_.emplace_back(); }

  /// A dialled link, open or not yet.
  rpc::link& dial(recorder& who) { return dial(who, address_); }
  rpc::link& dial(recorder& who, const std::string& where) {
    rpc::link* const dialled = far_loop().call([&] {
      auto started = far_->dial(far_loop().get(), where, who);
      return started ? *started : nullptr;
    });
    BOOST_REQUIRE(dialled != nullptr);
    who.set_link(*dialled);
    return *dialled;
  }

  /// Dials, and sends a frame by which the ends meet. The recorder of the other end.
  recorder& meet(recorder& here) {
    rpc::link& link = dial(here);
    BOOST_REQUIRE(here.wait_open());
    send(link, 10, 1);
    recorder& there = door_.accepted(0);
    BOOST_REQUIRE(there.wait_frames(1));
    return there;
  }

  void send(rpc::link& through, std::size_t size, std::uint32_t number) {
    BOOST_REQUIRE(far_loop().call([&] {
      auto frame = numbered(size, number);
      return through.send(frame);
    }));
  }

  /// The same from the accepting side.
  void answer(rpc::link& through, std::size_t size, std::uint32_t number) {
    BOOST_REQUIRE(near_loop_.call([&] {
      auto frame = numbered(size, number);
      return through.send(frame);
    }));
  }

 private:
  void listen() {
    if (!one_) {
      far_loop_ = std::make_unique<running_loop>("far");
    }
    near_loop_.call([this] {
      auto opened = near_->listen(near_loop_.get(), Wiring::any_address(), door_);
      if (opened) {
        port_ = *std::move(opened);
        address_ = port_->address();
      }
    });
    BOOST_REQUIRE(port_ != nullptr);
  }

  std::deque<recorder> recorders_;
  running_loop near_loop_{"near"};
  std::unique_ptr<running_loop> far_loop_;
  std::unique_ptr<rpc::transport> near_;
  std::unique_ptr<rpc::transport> far_;
  bool one_;
  door door_;
  std::unique_ptr<rpc::transport::port> port_;
  std::string address_;
};

}  // namespace mailroom::tests
