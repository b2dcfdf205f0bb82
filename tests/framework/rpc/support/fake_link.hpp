#pragma once

#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/rpc/transport.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::tests {

/// A link whose network is the test. Loop thread only.
class fake_link final : public rpc::link {
 public:
  bool send(wire::buffer& frame) override {
    if (stuck) {
      return false;
    }
    sent.emplace_back(std::move(frame));
    return true;
  }
  std::size_t unsent_bytes() const noexcept override { return 0; }
  std::string_view peer_address() const noexcept override { return "fake"; }
  void close(bool) override { closed = true; }

  bool stuck = false;  ///< Its peer reads nothing.
  bool closed = false;
  std::vector<wire::frame> sent;
};

/// Someone who speaks to a site's data server by hand. The site outlives it.
class fake_peer {
 public:
  explicit fake_peer(site& to) : to_(to) {
    to_.on_loop([this] { server_end_ = to_.server().on_accept(link_); });
  }
  ~fake_peer() {
    to_.on_loop([this] {
      if (!link_.closed) {
        server_end_->on_closed(link_, error(errc::lost, "the test is over"));
      }
    });
  }

  /// Attaches to a session of its own, so that calls may follow.
  void attach(bool knows_all = false) { attach(to_.open_session("fake peer", knows_all)); }
  void attach(const rpc::session_id& session) {
    wire::batch batch(wire::plane::data);
    wire::write_attach(batch, {session, {}});
    feed(batch.take());
  }
  void declare(std::uint32_t number, const std::string& topic, const std::string& method) {
    wire::batch batch(wire::plane::data);
    wire::write_route(batch, {number, "mailroom", topic, "", "", method});
    feed(batch.take());
  }

  void feed(wire::buffer&& written) { feed(wire::frame(std::move(written))); }
  void feed(const std::vector<std::byte>& bytes) {
    wire::buffer copy;
    copy.append(std::span(bytes));
    feed(wire::frame(std::move(copy)));
  }
  /// Nothing happens on a closed link.
  void feed(wire::frame what) {
    to_.on_loop([&] {
      if (!link_.closed) {
        server_end_->on_frame(link_, std::move(what));
      }
    });
  }

  bool closed() {
    bool answer = false;
    to_.on_loop([&] { answer = link_.closed; });
    return answer;
  }
  void stop_reading() {
    to_.on_loop([this] { link_.stuck = true; });
  }

  /// Failures and replies that came back so far.
  std::vector<wire::failure> failures() {
    std::vector<wire::failure> found;
    each_message([&](const wire::message& one) {
      if (one.what == wire::kind::failure) {
        found.push_back(wire::read_failure(one).value());
      }
    });
    return found;
  }
  std::size_t replies() {
    std::size_t found = 0;
    each_message(
        [&](const wire::message& one) { found += one.what == wire::kind::reply ? 1U : 0U; });
    return found;
  }
  /// What was given so far, in all.
  wire::credit credit() {
    to_.on_loop([] {});  // It leaves at the end of a pass.
    wire::credit all;
    each_message([&](const wire::message& one) {
      if (one.what == wire::kind::credit) {
        const auto more = wire::read_credit(one).value();
        all.messages += more.messages;
        all.bytes += more.bytes;
      }
    });
    return all;
  }
  /// Bytes of chunks that were said to be taken.
  std::uint64_t taken() {
    to_.on_loop([] {});
    std::uint64_t all = 0;
    each_message([&](const wire::message& one) {
      if (one.what == wire::kind::taken) {
        all += wire::load<std::uint64_t>(one.head.data());
      }
    });
    return all;
  }
  /// Numbers of the fences that were answered.
  std::vector<std::uint64_t> fenced() {
    to_.on_loop([] {});  // They leave at the end of a pass.
    std::vector<std::uint64_t> found;
    each_message([&](const wire::message& one) {
      if (one.what == wire::kind::fenced) {
        found.push_back(wire::load<std::uint64_t>(one.head.data()));
      }
    });
    return found;
  }

 private:
  void each_message(const std::function<void(const wire::message&)>& see) {
    to_.on_loop([&] {
      for (const auto& frame : link_.sent) {
        auto messages = wire::reader::open(frame.bytes(), wire::plane::data).value();
        wire::message one;
        while (messages.next(one).value()) {
          see(one);
        }
      }
    });
  }

  site& to_;
  fake_link link_;
  rpc::link_observer* server_end_ = nullptr;
};

/// A transport that dials fake links.
class fake_transport final : public rpc::transport {
 public:
  struct dialled {
    fake_link link;
    rpc::link_observer* observer = nullptr;

    /// The peer takes it up. Loop thread only.
    void attach() {
      observer->on_open(link);
      say_attached();
    }
    void say_attached() {
      wire::batch batch(wire::plane::data);
      batch.begin(wire::kind::attached, 0);
      batch.finish();
      feed(batch.take());
    }
    /// Loop thread only.
    void feed(wire::buffer&& written) {
      if (!link.closed) {
        observer->on_frame(link, wire::frame(std::move(written)));
      }
    }
  };

  bool handles(std::string_view) const noexcept override { return true; }
  result<std::unique_ptr<port>> listen(executors::event_loop&,
                                       const std::string&,
                                       rpc::acceptor&) override {
    return error(errc::io, "nobody can be reached");
  }
  result<rpc::link*> dial(executors::event_loop&,
                          const std::string&,
                          rpc::link_observer& who) override {
    links.push_back(std::make_unique<dialled>());
    links.back()->observer = &who;
    return static_cast<rpc::link*>(&links.back()->link);
  }

  std::vector<std::unique_ptr<dialled>> links;
};

}  // namespace mailroom::tests
