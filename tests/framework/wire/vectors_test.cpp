#include <mailroom/tests/framework/wire/messages.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <set>
#include <string>

namespace mailroom::tests {
namespace {

const std::vector<vector>& all() {
  static const std::vector<vector> loaded = read_vectors(MAILROOM_VECTORS);
  return loaded;
}

// A copy of its own size on the heap, so that a sanitizer sees the first byte that is read beyond
// it.
struct exact_copy {
  explicit exact_copy(std::span<const std::byte> from)
      : bytes(std::make_unique<std::byte[]>(from.size())), size(from.size()) {
    std::copy(from.begin(), from.end(), bytes.get());
  }
  std::span<const std::byte> view() const { return {bytes.get(), size}; }

  std::unique_ptr<std::byte[]> bytes;
  std::size_t size;
};

// Read, or refused as garbage: nothing else may happen.
bool harmless(std::span<const std::byte> frame) {
  const exact_copy alone(frame);
  const auto meaning = frame_to_json(alone.view());
  return meaning || meaning.error() == errc::protocol_error;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_vectors)

BOOST_AUTO_TEST_CASE(mean_what_is_written_beside_them) {
  BOOST_TEST(all().size() > 90U);
  for (const auto& each : all()) {
    BOOST_TEST_CONTEXT(each.name) {
      const exact_copy alone(each.frame);
      const auto meaning = frame_to_json(alone.view());
      if (each.meaning.is_null()) {
        BOOST_TEST((!meaning && meaning.error() == errc::protocol_error));
      } else {
        BOOST_TEST_REQUIRE(meaning.has_value());
        BOOST_TEST(meaning->dump() == each.meaning.dump());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(are_written_byte_for_byte) {
  for (const auto& each : all()) {
    if (each.meaning.is_null() || each.decode_only) {
      continue;
    }
    BOOST_TEST_CONTEXT(each.name) {
      const auto written = frame_from_json(each.meaning);
      BOOST_TEST(std::ranges::equal(written.bytes(), each.frame));
    }
  }
}

BOOST_AUTO_TEST_CASE(cover_every_kind_of_message) {
  std::set<std::string> seen;
  for (const auto& each : all()) {
    if (!each.meaning.is_null()) {
      for (const auto& message : each.meaning["messages"]) {
        seen.insert(message["kind"].get<std::string>());
      }
    }
  }
  // 13 kinds of data messages, 12 of control messages, and what is not known.
  BOOST_TEST(seen.size() == 26U);
}

BOOST_AUTO_TEST_CASE(cut_short_anywhere_are_garbage) {
  for (const auto& each : all()) {
    if (each.meaning.is_null()) {
      continue;
    }
    for (std::size_t length = 0; length < each.frame.size(); ++length) {
      const exact_copy part(std::span(each.frame).first(length));
      const auto meaning = frame_to_json(part.view());
      if (meaning || !(meaning.error() == errc::protocol_error)) {
        BOOST_ERROR(each.name << " cut to " << length << " bytes was read");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(with_any_byte_changed_do_no_harm) {
  std::size_t harmful = 0;
  for (const auto& each : all()) {
    auto frame = each.frame;
    for (auto& byte : frame) {
      const std::byte before = byte;
      for (unsigned change = 1; change < 256; ++change) {
        byte = before ^ static_cast<std::byte>(change);
        if (!harmless(frame)) {
          BOOST_TEST_MESSAGE(each.name << " with byte " << (&byte - frame.data()) << " changed");
          ++harmful;
        }
      }
      byte = before;
    }
  }
  BOOST_TEST(harmful == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests
