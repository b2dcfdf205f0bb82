#include <mailroom/framework/wire/body.hpp>

#include <boost/test/unit_test.hpp>

#include <bit>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace mailroom::tests::body_test {

struct point {
  int x = 0;
  int y = 7;
  std::vector<std::string> tags;
  MSGPACK_DEFINE_MAP(x, y, tags)
};

namespace {

using wire::buffer;
using wire::cursor;
using wire::unpack;
using wire::unpack_arguments;

std::span<const std::byte> view(const std::string& raw) {
  return std::as_bytes(std::span(raw.data(), raw.size()));
}

// Something with a value and a length, or nothing.
template <class T>
struct read_outcome {
  std::optional<T> value;
  bool all = false;
};

template <class T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  if constexpr (std::floating_point<T>) {
    return a.has_value() == b.has_value() &&
           (!a || *a == *b || (*a != *a && *b != *b));  // NaN is as good as NaN.
  } else {
    return a == b;
  }
}

template <class T>
read_outcome<T> ours(const std::string& raw) {
  cursor from(view(raw), nullptr);
  T value{};
  if (!from.read(value)) {
    return {};
  }
  return {value, from.at_end()};
}

template <class T>
read_outcome<T> the_librarys(const std::string& raw) {
  try {
    std::size_t used = 0;
    const auto handle = msgpack::unpack(
        raw.data(),
        raw.size(),
        used,
        nullptr,
        nullptr,
        msgpack::unpack_limit(raw.size(), raw.size(), raw.size(), raw.size(), raw.size(), 64));
    return {handle.get().as<T>(), used == raw.size()};
  } catch (const std::exception&) {
    return {};
  }
}

std::size_t disagreements = 0;

template <class T>
void compare(const std::string& raw) {
  const auto a = ours<T>(raw);
  const auto b = the_librarys<T>(raw);
  if (!same(a.value, b.value) || a.all != b.all) {
    ++disagreements;
    std::string hex;
    for (const char each : raw) {
      hex += std::to_string(static_cast<unsigned char>(each)) + " ";
    }
    BOOST_TEST_MESSAGE("bytes " << hex << "as " << typeid(T).name());
  }
}

void compare_all(const std::string& raw) {
  compare<bool>(raw);
  compare<std::int8_t>(raw);
  compare<std::int16_t>(raw);
  compare<std::int32_t>(raw);
  compare<std::int64_t>(raw);
  compare<std::uint8_t>(raw);
  compare<std::uint16_t>(raw);
  compare<std::uint32_t>(raw);
  compare<std::uint64_t>(raw);
  compare<float>(raw);
  compare<double>(raw);
  compare<std::string>(raw);
  compare<bytes>(raw);
}

template <class T>
std::string packed(const T& value) {
  buffer body;
  wire::pack(body, value);
  return {reinterpret_cast<const char*>(body.data()), body.size()};
}

template <class T>
void round_trip(const T& value) {
  const auto back = unpack<T>(view(packed(value)));
  BOOST_TEST_REQUIRE(back.has_value());
  BOOST_TEST((*back == value));
}

std::string repeated(std::string_view what, std::size_t times) {
  std::string all;
  for (; times != 0; --times) {
    all += what;
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(body)

BOOST_AUTO_TEST_CASE(reads_every_tag_as_the_library_does) {
  // Each tag with enough zeros, with 0xff, and with every number of bytes missing.
  for (unsigned tag = 0; tag < 256; ++tag) {
    for (const char fill : {'\0', '\x01', '\x7f', '\x80', '\xff'}) {
      for (std::size_t length = 0; length < 20; ++length) {
        compare_all(std::string(1, static_cast<char>(tag)) + std::string(length, fill));
      }
    }
  }
  compare_all("");
  BOOST_TEST(disagreements == 0U);
}

BOOST_AUTO_TEST_CASE(reads_random_bytes_as_the_library_does) {
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed): the same every time.
  std::uniform_int_distribution<int> byte(0, 255);
  for (int i = 0; i < 40'000; ++i) {
    std::string raw(random() % 24, '\0');
    for (char& each : raw) {
      each = static_cast<char>(byte(random));
    }
    compare_all(raw);
    std::size_t used = 0;
    bool good = true;
    try {
      msgpack::unpack(raw.data(),
                      raw.size(),
                      used,
                      nullptr,
                      nullptr,
                      msgpack::unpack_limit(raw.size(), raw.size(), raw.size(), raw.size()));
    } catch (const std::exception&) {
      good = false;
    }
    disagreements += wire::value_size(view(raw)) == (good ? used : 0) ? 0U : 1U;
  }
  BOOST_TEST(disagreements == 0U);
}

BOOST_AUTO_TEST_CASE(returns_what_was_packed) {
  std::mt19937_64 random(2);  // NOLINT(bugprone-random-generator-seed)
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random() >> (random() % 64);
    round_trip(bits);
    round_trip(static_cast<std::int64_t>(bits));
    round_trip(-static_cast<std::int64_t>(bits >> 1U));
    round_trip(static_cast<std::int32_t>(bits));
    round_trip(static_cast<std::uint8_t>(bits));
    if (const auto number = std::bit_cast<double>(random()); number == number) {
      round_trip(number);
    }
  }
  for (const std::size_t size : {0U, 1U, 31U, 32U, 255U, 256U, 65535U, 65536U, 70000U}) {
    round_trip(std::string(size, 'x'));
    round_trip(bytes(std::string(size, 'x')));
    round_trip(std::vector<int>(size, 3));
  }
  round_trip(true);
  round_trip(std::map<std::string, std::vector<double>>{{"a", {0.5, -1e300}}, {"b", {}}});
  round_trip(std::vector<bytes>{bytes("one"), bytes("")});
  round_trip(std::optional<int>());
}

BOOST_AUTO_TEST_CASE(keeps_numbers_within_their_type) {
  BOOST_TEST((unpack<std::uint8_t>(view(packed(255))) ? true : false));
  BOOST_TEST(!unpack<std::uint8_t>(view(packed(256))));
  BOOST_TEST(!unpack<std::uint64_t>(view(packed(-1))));
  BOOST_TEST(!unpack<std::int64_t>(view(packed(std::numeric_limits<std::uint64_t>::max()))));
  BOOST_TEST(!unpack<std::int8_t>(view(packed(-129))));
}

BOOST_AUTO_TEST_CASE(skips_unknown_keys_and_defaults_missing_ones) {
  const auto body = packed(std::map<std::string, int>{{"x", 3}, {"z", 4}});
  const auto read = unpack<point>(view(body));
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(read->x == 3);
  BOOST_TEST(read->y == 7);
}

BOOST_AUTO_TEST_CASE(is_one_value_and_nothing_more) {
  BOOST_TEST((unpack<int>(view("\x01\x02")).error() == errc::bad_reply));
  BOOST_TEST((unpack<int>(view("")).error() == errc::bad_reply));
  BOOST_TEST((unpack<int>(view("\xa1x")).error() == errc::bad_reply));
}

BOOST_AUTO_TEST_CASE(tells_what_is_wrong_with_arguments) {
  buffer body;
  wire::pack_arguments(body, 1, "two");
  BOOST_TEST((unpack_arguments<int, std::string>(body.bytes()).has_value()));
  const auto fewer = unpack_arguments<int>(body.bytes());
  BOOST_TEST((fewer.error() == errc::invalid_arguments));
  BOOST_TEST(fewer.error().message() == "takes 1 arguments, got 2");
  const auto wrong = unpack_arguments<int, int>(body.bytes());
  BOOST_TEST(wrong.error().message() ==
             "argument 2 should be an integer from -2147483648 to 2147483647, it is a string");
  BOOST_TEST(unpack_arguments<>(view("\x01")).error().message() ==
             "the arguments are not an array");
  BOOST_TEST(unpack_arguments<>(view("\x90\x01")).error().message() == "bytes after the arguments");
  BOOST_TEST(unpack_arguments<>(view("\x90")).has_value());
}

BOOST_AUTO_TEST_CASE(names_what_an_argument_should_be_and_what_it_is) {
  const auto told = [](const auto& read) { return read.error().message(); };
  const auto list = [](const auto& value) {
    buffer body;
    wire::pack_arguments(body, value);
    return body;
  };
  BOOST_TEST(told(unpack_arguments<bool>(list(1.5).bytes())) ==
             "argument 1 should be a boolean, it is a number");
  BOOST_TEST(told(unpack_arguments<std::uint8_t>(list(300).bytes())) ==
             "argument 1 should be an integer from 0 to 255, it is another one");
  BOOST_TEST(told(unpack_arguments<double>(list(true).bytes())) ==
             "argument 1 should be a number, it is a boolean");
  BOOST_TEST(told(unpack_arguments<std::string>(list(std::vector<int>{1}).bytes())) ==
             "argument 1 should be a string, it is an array");
  BOOST_TEST(told(unpack_arguments<bytes>(list(msgpack::type::nil_t()).bytes())) ==
             "argument 1 should be binary, it is nil");
  BOOST_TEST(told(unpack_arguments<std::vector<int>>(list(std::map<int, int>{}).bytes())) ==
             "argument 1 should be an array of what the method takes, it is a map");
  BOOST_TEST(told(unpack_arguments<point>(list(-1).bytes())) ==
             "argument 1 should be a map of what the method takes, it is an integer");
  BOOST_TEST(
      told(unpack_arguments<int>(view("\x91\xd2"))) ==
      "argument 1 should be an integer from -2147483648 to 2147483647, it is nothing that can "
      "be read (cut short, nested too deep or reserved)");
}

BOOST_AUTO_TEST_CASE(nests_to_its_limit_and_no_deeper) {
  const auto nested = [](std::size_t depth) { return repeated("\x91", depth - 1) + "\x90"; };
  BOOST_TEST(wire::value_size(view(nested(wire::max_depth))) == wire::max_depth);
  BOOST_TEST(wire::value_size(view(nested(wire::max_depth + 1))) == 0U);
  BOOST_TEST(wire::value_size(view(nested(1'000'000))) == 0U);
  // The library's tree can be made of all that passes.
  BOOST_TEST(unpack<msgpack::type::variant>(view(nested(wire::max_depth))).has_value());
  BOOST_TEST(!unpack<msgpack::type::variant>(view(nested(1'000'000))));
  BOOST_TEST(wire::value_size(view(repeated("\x81\xc0", wire::max_depth) + "\xc0")) != 0U);
  BOOST_TEST(wire::value_size(view(repeated("\x81\xc0", wire::max_depth + 1) + "\xc0")) == 0U);
}

BOOST_AUTO_TEST_CASE(allocates_nothing_for_elements_that_are_not_there) {
  using namespace std::string_literals;
  BOOST_TEST(!unpack<std::vector<int>>(view("\xdd\xff\xff\xff\xff"s)));
  BOOST_TEST(!(unpack<std::map<int, int>>(view("\xdf\xff\xff\xff\xff"s)).has_value()));
  BOOST_TEST(!unpack<std::string>(view("\xdb\xff\xff\xff\xff"s)));
  // Each level within the body's size, all together not.
  const std::string level = "\xdd\x00\x00\xff\x00"s;
  BOOST_TEST(
      !unpack<msgpack::type::variant>(view(repeated(level, 60) + std::string(0xff00, '\xc0'))));
  BOOST_TEST(wire::value_size(view("\xdd\x00\x00\x00\x02\xc0"s)) == 0U);
}

BOOST_AUTO_TEST_CASE(shares_the_frame_with_large_bytes_only) {
  buffer written;
  wire::pack(written, bytes(std::string(100'000, 'x')));
  const wire::frame whole(std::move(written));
  const auto large = unpack<bytes>(whole.bytes(), &whole);
  BOOST_TEST_REQUIRE(large.has_value());
  BOOST_TEST((large->data() == whole.bytes().data() + 5));
  BOOST_TEST(large->size() == 100'000U);

  buffer small;
  wire::pack_arguments(small, bytes("tiny"), std::string(10'000, 'y'));
  const wire::frame frame(std::move(small));
  const auto both = unpack_arguments<bytes, bytes>(frame.bytes(), &frame);
  BOOST_TEST_REQUIRE(both.has_value());
  const auto inside = [&](const bytes& part) {
    return part.data() >= frame.bytes().data() && part.data() < frame.bytes().data() + frame.size();
  };
  BOOST_TEST(!inside(std::get<0>(*both)));
  BOOST_TEST(inside(std::get<1>(*both)));  // A str is bytes too.
}

BOOST_AUTO_TEST_CASE(lends_values_as_they_lie) {
  buffer body;
  wire::pack_arguments(body, std::map<std::string, int>{{"a", 1}}, 2);
  cursor from(body.bytes(), nullptr);
  BOOST_TEST((from.array() == 2U));
  std::span<const std::byte> first;
  BOOST_TEST(from.read_raw(first));
  BOOST_TEST((unpack<std::map<std::string, int>>(first)->at("a") == 1));
  BOOST_TEST(from.skip(1));
  BOOST_TEST(from.at_end());
  BOOST_TEST(!from.skip(1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::body_test
