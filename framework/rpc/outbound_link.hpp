#pragma once

#include <mailroom/framework/rpc/chunk_sender.hpp>
#include <mailroom/framework/rpc/chunk_taker.hpp>
#include <mailroom/framework/rpc/connector.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mailroom::rpc {

class outbound_session;

/// The data link of a session to one I/O loop of its peer, from dialling to the end. Loop thread
/// only.
class outbound_link final : public link_observer {
 public:
  /// `loop` is the number of that loop.
  outbound_link(connector& home, outbound_session& of, std::string address, std::uint32_t loop);
  ~outbound_link();

  /// Starts to connect. An error means it will not.
  result<void> dial(transport& over);
  void close(bool flush) noexcept;

  outbound_session& session() const noexcept { return session_; }
  /// The peer has taken it up.
  bool ready() const noexcept { return ready_; }
  std::size_t backlog() const noexcept { return writer_.backlog() + chunks_.backlog(); }
  std::uint32_t in_flight() const noexcept { return in_flight_; }
  void answered() noexcept {
    if (--in_flight_ == 0 && leaving_) {
      tell_emptied();
    }
  }
  /// From now on the session is told when no call is out here any more.
  void leave() noexcept { leaving_ = true; }

  /// Begins a call or cast; the payload is written into the returned batch, then `finish` or
  /// `drop`.
  wire::batch& begin(const pending_call& call, std::uint64_t id);
  /// False if the body is over the peer's limit; it was taken back then. `keep`: the call gets a
  /// copy of its arguments.
  bool finish(pending_call& call, bool keep);
  void drop() noexcept;
  std::size_t body_size() const noexcept { return body_size_; }
  /// Messages so far, the one finished last included; and whether so many have left.
  std::uint64_t written() const noexcept { return writer_.written_messages(); }
  bool has_sent(std::uint64_t messages) const noexcept {
    return messages <= writer_.sent_messages();
  }
  /// Tells the peer that nobody waits any more for a call that was sent here.
  void cancel(const pending_call& call) const;

  /// Sends a fence: the session is told when all that was written before has reached its endpoints,
  /// and what the peer had written has come.
  void fence(std::uint64_t number);
  /// What is written from now on leaves when it is released.
  void hold() { writer_.hold(); }
  void release() noexcept { writer_.release(); }

 private:
  void on_open(link& on) noexcept override;
  void on_frame(link& on, wire::frame received) noexcept override;
  void on_writable(link& on) noexcept override;
  void on_closed(link& on, const error& why) noexcept override;

  std::uint32_t route_of(const wire::route& names, wire::batch& batch);
  void send_in_chunks(const pending_call& call);
  result<void> read(const wire::frame& received);
  result<void> read_messages(const wire::frame& received);
  void on_reply(std::uint64_t id, const wire::frame& received, const wire::message& answer);
  void succeed(std::uint64_t id, const wire::frame& received, const wire::message& answer) noexcept;
  void tell_emptied() noexcept;
  void end(const error& why) noexcept;

  connector& home_;
  outbound_session& session_;
  const std::string address_;
  const std::uint32_t loop_;
  link* link_ = nullptr;
  link_writer writer_;
  chunk_sender chunks_{writer_};
  chunk_taker taker_;
  std::vector<std::uint32_t>
      routes_;                  // Of a name, by its number: that of its route, plus 1; 0: none.
  std::uint32_t declared_ = 0;  // Routes.
  std::uint32_t in_flight_ = 0;
  std::size_t body_size_ = 0;
  std::vector<std::uint64_t> fenced_;  // Answers in the frame that is being read.
  bool ready_ = false;
  bool leaving_ = false;
  bool ended_ = false;
};

}  // namespace mailroom::rpc
