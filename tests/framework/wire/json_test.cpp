#include <mailroom/framework/wire/base64.hpp>
#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>
#include <random>
#include <string>

namespace mailroom::tests::json_test {
namespace {

std::string there_and_back(std::string_view text) {
  const auto body = wire::value_from_json(text);
  BOOST_TEST_REQUIRE(body.has_value());
  return wire::json_from_body(body->bytes()).value();
}

std::string why(std::string_view text) {
  const auto body = wire::arguments_from_json(text);
  BOOST_TEST_REQUIRE(!body.has_value());
  BOOST_TEST((body.error() == errc::invalid_arguments));
  return std::string(body.error().message());
}

std::string shown(std::string_view raw) {
  return wire::json_from_body(std::as_bytes(std::span(raw.data(), raw.size()))).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_AUTO_TEST_CASE(comes_back_as_it_went) {
  for (const std::string_view text : {R"(null)",
                                      R"([])",
                                      R"({})",
                                      R"(["hello",3,-4,0.5,true,null])",
                                      R"({"z":1,"a":[{"b":{}}]})",
                                      R"(18446744073709551615)",
                                      R"([1.0,-0.0,1])",
                                      R"(-9223372036854775808)",
                                      R"("żółw")",
                                      R"({"$bytes":"AAEC/w=="})",
                                      R"({"$float":"inf"})",
                                      R"({"$float":"nan"})",
                                      R"({"$ext":[-1,"AAEC"]})",
                                      R"({"$map":[[1,"one"],["two",2]]})",
                                      R"({"$map":[["$bytes","no bytes"]]})",
                                      R"({"$map":[["twice",1],["twice",2]]})"}) {
    BOOST_TEST(there_and_back(text) == text);
  }
}

BOOST_AUTO_TEST_CASE(is_the_body_that_a_caller_would_pack) {
  wire::buffer packed;
  wire::pack_arguments(packed, std::string("bolt"), 3);
  const auto read = wire::arguments_from_json(R"(["bolt", 3])");
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(std::ranges::equal(read->bytes(), packed.bytes()));
}

BOOST_AUTO_TEST_CASE(of_arguments_is_an_array) {
  BOOST_TEST(why(R"({"a": 1})") ==
             R"(the arguments must be a JSON array, as in ["hello", 3], not object)");
  BOOST_TEST(why("5").ends_with("not number"));
}

BOOST_AUTO_TEST_CASE(that_cannot_be_read_is_refused_with_the_place) {
  BOOST_TEST(
      why(R"(["hello")").starts_with("the arguments cannot be read as JSON: line 1, column 9: "));
  BOOST_TEST(
      why("[1,\n 2,]").starts_with("the arguments cannot be read as JSON: line 2, column 4: "));
  BOOST_TEST(why("").starts_with("the arguments cannot be read as JSON: line 1, column 1: "));
  BOOST_TEST(
      why("[\"\xff\"]").starts_with("the arguments cannot be read as JSON: line 1, column 3: "));
  BOOST_TEST(why("[1e999]").starts_with("the arguments cannot be read as JSON: number overflow"));
  BOOST_TEST(why("[\"" + std::string(10'000, 'x')).size() < 300U);
  BOOST_TEST((wire::value_from_json("nul").error() == errc::invalid_value));
}

BOOST_AUTO_TEST_CASE(with_wrong_marks_is_refused) {
  for (const std::string_view text : {R"([{"$bytes": "A"}])",
                                      R"([{"$bytes": "AAE"}])",
                                      R"([{"$bytes": 5}])",
                                      R"([{"$float": "big"}])",
                                      R"([{"$ext": [128, ""]}])",
                                      R"([{"$ext": []}])",
                                      R"([{"$map": [1]}])",
                                      R"([{"$map": {"a": 1}}])"}) {
    BOOST_TEST(why(text).starts_with("the arguments: "));
  }
}

BOOST_AUTO_TEST_CASE(nested_too_deep_is_refused) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  BOOST_TEST(there_and_back(nested(wire::max_depth)) == nested(wire::max_depth));
  BOOST_TEST(!why(nested(wire::max_depth + 1)).empty());
  BOOST_TEST(!why(nested(100'000)).empty());
}

BOOST_AUTO_TEST_CASE(shows_what_is_no_text_as_bytes) {
  BOOST_TEST(shown("\xc4\x02hi") == R"({"$bytes":"aGk="})");
  BOOST_TEST(shown("\xa2\xff\xfe") == R"({"$bytes":"//4="})");
  BOOST_TEST(shown("\xa2hi") == R"("hi")");
  BOOST_TEST(shown("\x81\xc4\x01k\x01") == R"({"$map":[[{"$bytes":"aw=="},1]]})");
  BOOST_TEST(shown({"\xca\x3f\x80\x00\x00", 5}) == "1.0");
}

BOOST_AUTO_TEST_CASE(may_be_pretty) {
  const auto body = wire::value_from_json(R"({"a":[1]})");
  BOOST_TEST(wire::json_from_body(body->bytes(), true).value() == "{\n  \"a\": [\n    1\n  ]\n}");
}

BOOST_AUTO_TEST_CASE(of_what_is_no_messagepack_is_an_error) {
  for (const std::string_view raw : {"", "\xc1", "\x92\x01", "\x01\x02", "\xdd\xff\xff\xff\xff"}) {
    const auto text = wire::json_from_body(std::as_bytes(std::span(raw.data(), raw.size())));
    BOOST_TEST((!text && text.error() == errc::bad_reply));
  }
}

BOOST_AUTO_TEST_CASE(has_base64_that_is_read_in_one_way_only) {
  std::mt19937_64 random(4);  // NOLINT(bugprone-random-generator-seed): the same every time.
  for (std::size_t size = 0; size < 200; ++size) {
    std::string raw(size, '\0');
    for (char& each : raw) {
      each = static_cast<char>(random());
    }
    BOOST_TEST((wire::from_base64(wire::to_base64(raw)) == raw));
  }
  for (const std::string_view text :
       {"A", "AA", "AAA", "A===", "====", "AB==", "AAB=", "A-_=", "AA==AA=="}) {
    BOOST_TEST(!wire::from_base64(text).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::json_test
