#pragma once

#include <mailroom/framework/wire/control.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests {

using octets = std::vector<std::byte>;

/// A libzmq context of the test's own. Ends when all that was sent has left, or after a while.
class raw_context {
 public:
  raw_context();
  ~raw_context();
  raw_context(const raw_context&) = delete;
  raw_context& operator=(const raw_context&) = delete;
  void* get() const noexcept { return context_; }

 private:
  void* context_;
};

/// A DEALER that says what it is told. One thread at a time.
class raw_peer {
 public:
  /// It takes in `unread` messages that nobody receives (0: any number).
  raw_peer(const raw_context& in, const std::string& address, int unread = 0);
  ~raw_peer();
  raw_peer(const raw_peer&) = delete;
  raw_peer& operator=(const raw_peer&) = delete;

  void send(std::span<const std::byte> frame);
  void send(wire::batch& messages);
  std::optional<octets> receive(int milliseconds);

 private:
  void* socket_;
};

/// The first message of this kind that `by` receives, and what holds it; what came before it is
/// dropped.
struct heard {
  octets frame;
  wire::message message;
};
std::optional<heard> listen_for(raw_peer& by, wire::plane on, wire::kind what, int milliseconds);

/// A peer that has said hello and pings when it is told to.
class raw_session {
 public:
  raw_session(const raw_context& in, const std::string& address);
  void ping();
  /// Waits for a message of this kind on the control link; false if none came in time.
  bool hears(wire::kind what, int milliseconds);
  /// The attach message for a data link of it.
  wire::batch attach() const;
  const wire::welcome& agreed() const noexcept { return agreed_; }
  const std::string& data_address() const { return agreed_.data.at(0); }

 private:
  raw_peer control_;
  wire::welcome agreed_;
};

/// Connects to the port of a tcp:// address, says `words` and goes.
void say_over_tcp(const std::string& address, std::string_view words);

/// The same without waiting for what it says, so that it may be gone before the server knows who it
/// was.
void say_and_leave(const std::string& address, std::string_view words);

/// The frames of framework/wire/vectors.txt.
struct vector_frame {
  std::string name;
  octets frame;
  wire::plane plane;
};
std::vector<vector_frame> read_vectors(const std::string& path);

}  // namespace mailroom::tests
