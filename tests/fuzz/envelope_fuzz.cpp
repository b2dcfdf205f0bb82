// Everything that reads bytes of a peer: the frame, its messages, their fields and maps, bodies of
// every type, and bodies as JSON. The input is a frame; what follows the frame head is also tried
// as a body and as JSON text.

#include <mailroom/tests/framework/wire/messages.hpp>

#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace mailroom::tests {
namespace {

struct inner {
  std::uint8_t small = 0;
  std::optional<std::string> maybe;
  bytes raw;
  MSGPACK_DEFINE_MAP(small, maybe, raw)
};

struct outer {
  std::vector<inner> list;
  std::map<std::string, double> numbers;
  std::tuple<int, bool> pair;
  MSGPACK_DEFINE_MAP(list, numbers, pair)
};

void require(bool what) {
  if (!what) {
    std::abort();
  }
}

template <class... Ts>
void try_as(std::span<const std::byte> body) {
  (static_cast<void>(wire::unpack<Ts>(body)), ...);
  (static_cast<void>(wire::unpack_arguments<Ts>(body)), ...);
}

void try_body(std::span<const std::byte> body) {
  try_as<bool,
         std::int8_t,
         std::uint16_t,
         std::int64_t,
         std::uint64_t,
         float,
         double,
         std::string,
         bytes,
         std::vector<std::string>,
         std::map<std::string, std::vector<int>>,
         std::vector<bytes>,
         inner,
         outer,
         msgpack::type::variant>(body);
  static_cast<void>(wire::unpack_arguments<>(body));
  static_cast<void>(wire::unpack_arguments<std::string, int, outer>(body));

  const auto size = wire::value_size(body);
  require(size <= body.size());
  const auto text = wire::json_from_body(body);
  require(text.has_value() == (size != 0 && size == body.size()));
  if (text && size < 4096) {
    // What people see can be typed in again, and looks the same.
    const auto again = wire::value_from_json(*text);
    if (again) {
      const auto same = wire::json_from_body(again->bytes());
      require(same && *same == *text);
    }
  }
}

void try_text(std::span<const std::byte> raw) {
  const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  if (const auto body = wire::value_from_json(text)) {
    require(wire::json_from_body(body->bytes()).has_value());
  }
  static_cast<void>(wire::arguments_from_json(text));
}

void try_frame(std::span<const std::byte> frame) {
  const auto meaning = frame_to_json(frame);
  require(meaning || meaning.error() == errc::protocol_error);
}

}  // namespace
}  // namespace mailroom::tests

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailroom;
  const auto input = std::as_bytes(std::span(data, size));
  tests::try_frame(input);
  // Also under a frame head that is right, so that every input reaches the messages.
  std::vector<std::byte> framed(input.begin(), input.end());
  if (framed.size() >= wire::frame_head_size) {
    framed[0] = std::byte{'M'};
    framed[1] = std::byte{'R'};
    framed[2] = std::byte{wire::protocol_version};
    framed[3] &= std::byte{1};
    framed.shrink_to_fit();
    tests::try_frame(framed);
  }
  const auto body = input.subspan(std::min(size, wire::frame_head_size));
  tests::try_body(body);
  tests::try_text(body);
  return 0;
}
