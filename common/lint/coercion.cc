#include "common/lint/coercion.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/lint/alter_table.h"

namespace curlew::lint {

Oid ElementOf(const Catalogue& c, Oid type) {
  const Type* t = c.type(type);
  // An array's element has that array; point and name have elements, but are none.
  if (t == nullptr || t->element == 0) return 0;
  const Type* element = c.type(t->element);
  return element != nullptr && element->array == type ? t->element : 0;
}

namespace {

constexpr Oid kVarbit = 1562, kVarchar = 1043, kNumeric = 1700, kTimestamp = 1114, kTimestamptz = 1184,
              kTime = 1083, kTimetz = 1266, kInterval = 1186, kBtree = 403, kText = 25;

// intervaltypmodleastfield: the smallest field that the modifier keeps, 0 for seconds.
int LeastField(int typmod) {
  if (typmod < 0) return 0;
  const int range = (typmod >> 16) & 0x7FFF;
  constexpr int kSecond = 1 << 12, kMinute = 1 << 11, kHour = 1 << 10, kDay = 1 << 3, kMonth = 1 << 1,
                kYear = 1 << 2;
  if (range == 0x7FFF || (range & kSecond) != 0) return 0;
  if ((range & kMinute) != 0) return 1;
  if ((range & kHour) != 0) return 2;
  if ((range & kDay) != 0) return 3;
  if ((range & kMonth) != 0) return 4;
  if ((range & kYear) != 0) return 5;
  return 0;
}

bool IntervalKeepsBytes(int from, int to) {
  const int from_precision = from < 0 ? 0xFFFF : from & 0xFFFF, to_precision = to & 0xFFFF;
  return LeastField(to) <= LeastField(from) &&
         (LeastField(from) > 0 || to_precision >= 6 || to_precision >= from_precision);
}

// Whether cutting values of `type` to `to` can be left out, because they were cut to `from` before.
bool LengthKeepsBytes(Oid type, int from, int to) {
  switch (type) {
    case kVarchar:
    case kVarbit:
      return from >= 0 && from <= to;
    case kNumeric: {
      if (from < 4) return false;
      const int from_precision = ((from - 4) >> 16) & 0xffff, to_precision = ((to - 4) >> 16) & 0xffff;
      return ((from - 4) & 0x7ff) == ((to - 4) & 0x7ff) && to_precision >= from_precision;
    }
    case kTimestamp:
    case kTimestamptz:
    case kTime:
    case kTimetz:
      return to >= 6 || (from >= 0 && to >= from);
    case kInterval:
      return IntervalKeepsBytes(from, to);
    default:
      return false;
  }
}

bool IsUtc(const std::string& zone) {
  const std::string lower = absl::AsciiStrToLower(zone);
  static const char* const kZones[] = {
      "utc",       "gmt",           "etc/utc",   "etc/gmt",       "zulu",  "etc/zulu",  "uct",
      "etc/uct",   "gmt0",          "etc/gmt0",  "gmt+0",         "gmt-0", "etc/gmt+0", "etc/gmt-0",
      "universal", "etc/universal", "greenwich", "etc/greenwich", "0",     "+00",       "+00:00"};
  return std::any_of(std::begin(kZones), std::end(kZones), [&](const char* z) { return lower == z; });
}

bool IsString(const Catalogue& c, Oid type) {
  const Type* t = c.type(type);
  return t != nullptr && t->category == 'S';
}

// Without lengths and domains.
Coercion CoerceType(const Session& s, Oid from, Oid to, char context) {
  if (from == to) return Coercion::kSameBytes;
  const Catalogue& c = s.catalogue;
  if (const auto it = c.casts->find({from, to}); it != c.casts->end()) {
    const Cast& cast = it->second;
    const bool allowed = cast.context == 'i' || context == 'e' || (context == 'a' && cast.context == 'a');
    if (!allowed) return Coercion::kImpossible;
    if (cast.method == 'b') return Coercion::kSameBytes;
    if ((from == kTimestamp && to == kTimestamptz) || (from == kTimestamptz && to == kTimestamp))
      return IsUtc(s.time_zone) ? Coercion::kSameBytes : Coercion::kComputed;
    return Coercion::kComputed;
  }
  const Oid from_element = ElementOf(c, from), to_element = ElementOf(c, to);
  if (from_element != 0 && to_element != 0) {
    int typmod = -1;
    const Oid base = BaseType(c, to_element, &typmod);
    return CoerceType(s, from_element, base, context) == Coercion::kImpossible ? Coercion::kImpossible
                                                                               : Coercion::kComputed;
  }
  if ((context != 'i' && IsString(c, to)) || (context == 'e' && IsString(c, from)))
    return Coercion::kComputed;
  return Coercion::kImpossible;
}

}  // namespace

Coercion Coerce(const Session& session, TypeUse from, TypeUse to, char context) {
  const Catalogue& c = session.catalogue;
  if (from.type == 0 || to.type == 0) return Coercion::kComputed;
  if (from.type == to.type) {
    if (to.typmod < 0 || to.typmod == from.typmod) return Coercion::kSameBytes;
    if (ElementOf(c, to.type) != 0) return Coercion::kComputed;
    return LengthKeepsBytes(to.type, from.typmod, to.typmod) ? Coercion::kSameBytes : Coercion::kComputed;
  }
  TypeUse base = to;
  base.type = BaseType(c, to.type, &base.typmod);
  TypeUse source = from;
  source.type = BaseType(c, from.type, &source.typmod);
  const Coercion type = CoerceType(session, source.type, base.type, context);
  if (type == Coercion::kImpossible) return type;
  if (base.type != to.type && HasConstraints(c, to.type)) return Coercion::kComputed;
  if (type == Coercion::kComputed) return type;
  const int typmod = source.type == base.type ? source.typmod : -1;
  if (base.typmod < 0 || base.typmod == typmod) return Coercion::kSameBytes;
  return LengthKeepsBytes(base.type, typmod, base.typmod) ? Coercion::kSameBytes : Coercion::kComputed;
}

bool IsPolymorphic(const Catalogue& c, Oid opclass) {
  const auto it = c.opclasses->find(opclass);
  if (it == c.opclasses->end()) return false;
  const Type* t = c.type(it->second.input);
  return t != nullptr && t->kind == 'p';
}

Oid DefaultOpclass(const Catalogue& c, Oid type, Oid method) {
  int typmod = -1;
  type = BaseType(c, type, &typmod);
  const Type* t = c.type(type);
  if (method == 0) method = kBtree;
  Oid coercible = 0;
  for (const auto& [oid, opclass] : *c.opclasses) {
    if (opclass.method != method || !opclass.is_default) continue;
    if (opclass.input == type) return oid;
    const Type* input = c.type(opclass.input);
    if (input == nullptr || t == nullptr) continue;
    if (const auto it = c.casts->find({type, opclass.input});
        it != c.casts->end() && it->second.method == 'b' && it->second.context == 'i') {
      // Text is preferred among strings.
      if (coercible == 0 || opclass.input == kText) coercible = oid;
    } else if (input->kind == 'p' && coercible == 0) {
      if ((input->name == "anyenum" && t->kind == 'e') ||
          (input->name == "anyarray" && ElementOf(c, type) != 0) ||
          (input->name == "anyrange" && t->kind == 'r') ||
          (input->name == "anymultirange" && t->kind == 'm') || (input->name == "record" && t->kind == 'c'))
        coercible = oid;
    }
  }
  return coercible;
}

}  // namespace curlew::lint
