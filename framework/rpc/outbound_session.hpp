#pragma once

#include <mailroom/framework/rpc/connector.hpp>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::rpc {

/// One peer that we call: its data link from dialling to the end. Loop thread only.
class outbound_session final : public link_observer {
 public:
  outbound_session(connector& home, connector::session_info agreed, connector::session_watch watch);
  ~outbound_session();

  /// Starts to connect. An error means it will not.
  result<void> dial(transport& over);
  void close(bool flush) noexcept;

  const connector::session_info& info() const noexcept { return agreed_; }
  connector::session_info& info() noexcept { return agreed_; }
  bool ready() const noexcept { return ready_; }
  /// Whether the peer said so last.
  bool serves(std::string_view exchange, std::string_view topic) const noexcept;
  void set_topics(std::vector<wire::topic_home> topics);
  std::size_t backlog() const noexcept { return writer_.backlog(); }
  std::uint32_t in_flight() const noexcept { return in_flight_; }
  void answered() noexcept { --in_flight_; }

  /// Begins a call or cast; the payload is written into the returned batch, then `finish` or
  /// `drop`.
  wire::batch& begin(const pending_call& call, std::uint64_t id);
  /// False if the body is over the peer's limit; it was taken back then.
  bool finish(const pending_call& call) noexcept;
  void drop() noexcept;
  std::size_t body_size() const noexcept { return body_size_; }

  const connector::session_watch& watch() const noexcept { return watch_; }

 private:
  void on_open(link& on) noexcept override;
  void on_frame(link& on, wire::frame received) noexcept override;
  void on_writable(link& on) noexcept override;
  void on_closed(link& on, const error& why) noexcept override;

  std::uint32_t route_of(const wire::route& names, wire::batch& batch);
  result<void> read(const wire::frame& received);
  void end(const error& why) noexcept;

  connector& home_;
  connector::session_info agreed_;
  connector::session_watch watch_;
  link* link_ = nullptr;
  link_writer writer_;
  std::vector<std::uint32_t>
      routes_;                  // Of a name, by its number: that of its route, plus 1; 0: none.
  std::uint32_t declared_ = 0;  // Routes.
  std::uint32_t in_flight_ = 0;
  std::size_t body_size_ = 0;
  bool ready_ = false;
  bool ended_ = false;
};

}  // namespace mailroom::rpc
