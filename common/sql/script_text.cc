#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/utf8.h"
#include "common/sql/script.h"

namespace curlew::sql {
namespace {

constexpr absl::string_view kMark8 = "\xEF\xBB\xBF";
enum class Order { kLittleEndian, kBigEndian };

unsigned char Byte(absl::string_view bytes, size_t i) { return static_cast<unsigned char>(bytes[i]); }

// UTF-16 by its mark, or because one byte of most pairs at the beginning is zero.
std::optional<Order> Utf16Order(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xFF\xFE")) return Order::kLittleEndian;
  if (absl::StartsWith(bytes, "\xFE\xFF")) return Order::kBigEndian;
  const size_t pairs = std::min<size_t>(bytes.size(), 4096) / 2;
  size_t zeros[2] = {0, 0};
  for (size_t i = 0; i < 2 * pairs; ++i) zeros[i % 2] += bytes[i] == '\0';
  if (pairs < 2) return std::nullopt;
  if (zeros[1] * 2 > pairs && zeros[0] * 20 < pairs) return Order::kLittleEndian;
  if (zeros[0] * 2 > pairs && zeros[1] * 20 < pairs) return Order::kBigEndian;
  return std::nullopt;
}

std::string FromUtf16(absl::string_view bytes, Order order) {
  std::string text;
  text.reserve(bytes.size() / 2);
  const auto unit = [&](size_t i) -> char32_t {
    if (i + 1 >= bytes.size()) return 0;
    const char32_t first = Byte(bytes, i), second = Byte(bytes, i + 1);
    return order == Order::kLittleEndian ? first | second << 8 : first << 8 | second;
  };
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    char32_t character = unit(i);
    if (i == 0 && character == 0xFEFF) continue;
    const char32_t low = unit(i + 2);
    if (character >= 0xD800 && character < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
      character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    base::AppendUtf8(character == 0 ? U' ' : character, &text);
  }
  return text;
}

bool IsBinary(absl::string_view bytes) {
  const auto controls = std::count_if(bytes.begin(), bytes.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 &&
           absl::string_view("\t\n\v\f\r\x1B").find(c) == absl::string_view::npos;
  });
  return static_cast<size_t>(controls) * 100 > bytes.size() + 200;
}

ScriptError EncodingError(std::string message, Place place) {
  return {.kind = ScriptError::Kind::kEncoding,
          .message = std::move(message),
          .text = "",
          .place = place,
          .begin = place};
}

}  // namespace

ScriptText DecodeScript(absl::string_view bytes) {
  ScriptText result;
  if (const auto order = Utf16Order(bytes); order.has_value()) {
    result.text = FromUtf16(bytes, *order);
    result.error = EncodingError(
        "the file is in UTF-16, which psql does not read; save it as UTF-8, for example with "
        "iconv -f UTF-16 -t UTF-8",
        {});
    return result;
  }
  if (IsBinary(bytes)) {
    result.error = EncodingError("this is no text but binary data, and is not read; give a file of SQL", {});
    return result;
  }
  absl::ConsumePrefix(&bytes, kMark8);
  size_t first_bad = absl::string_view::npos, bad = 0, nuls = 0;
  while (!bytes.empty()) {
    const size_t stop = std::min(base::FindInvalidUtf8(bytes), bytes.size());
    const absl::string_view good = bytes.substr(0, stop);
    for (size_t nul = good.find('\0'); nul != absl::string_view::npos; nul = good.find('\0', nul + 1)) {
      if (first_bad == absl::string_view::npos) first_bad = result.text.size() + nul;
      ++nuls;
    }
    const size_t at = result.text.size();
    absl::StrAppend(&result.text, good);
    if (nuls > 0) std::replace(result.text.begin() + static_cast<long>(at), result.text.end(), '\0', ' ');
    if (stop == bytes.size()) break;
    if (first_bad == absl::string_view::npos) first_bad = result.text.size();
    ++bad;
    base::AppendUtf8(Byte(bytes, stop), &result.text);
    bytes.remove_prefix(stop + 1);
  }
  if (bad > 0) {
    result.error = EncodingError(
        absl::StrFormat(
            "the file is not in UTF-8: %d bytes are not, here is the first. They are read as Latin-1; "
            "save the file as UTF-8, for example with iconv -f LATIN1 -t UTF-8",
            bad),
        PlaceAt(result.text, first_bad));
  } else if (nuls > 0) {
    result.error = EncodingError(absl::StrCat("a byte of zero, which SQL cannot hold (", nuls,
                                              " in the file); read as a space, take it out"),
                                 PlaceAt(result.text, first_bad));
  }
  return result;
}

Place PlaceAt(absl::string_view text, size_t offset, Place from) {
  Place place = from;
  for (; place.offset < std::min(offset, text.size()); ++place.offset) {
    const char c = text[place.offset];
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((c & 0xC0) != 0x80) {
      ++place.column;
    }
  }
  return place;
}

}  // namespace curlew::sql
