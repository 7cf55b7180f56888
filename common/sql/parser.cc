#include "common/sql/parser.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/utf8.h"
#include "common/sql/parse_problem.h"
#include "common/sql/script.h"
#include "google/protobuf/io/coded_stream.h"

extern "C" {
#include <pg_query.h>
}

namespace curlew::sql {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The byte of the character that the parser counted, from 1.
int OffsetOf(absl::string_view text, const PgQueryError& error) {
  if (error.cursorpos <= 0) return -1;
  size_t i = 0;
  for (int position = 0; i < text.size(); ++i) {
    position += (text[i] & 0xC0) != 0x80;
    if (position == error.cursorpos) break;
  }
  return static_cast<int>(i);
}

// The parser names single bytes of a character too: "25\xC3" of 25\xC3\xA9.
std::string MessageOf(const PgQueryError& error) {
  std::string message = error.message;
  for (size_t bad; (bad = base::FindInvalidUtf8(message)) != std::string::npos;) message.erase(bad, 1);
  return message;
}

absl::Status SyntaxError(absl::string_view text, const ParseProblem& problem) {
  if (problem.kind == ParseProblem::Kind::kTooLong) return absl::InvalidArgumentError(problem.message);
  std::string where;
  if (problem.offset >= 0) {
    const Place place = PlaceAt(text, problem.offset);
    where = absl::StrCat(" at line ", place.line, ", column ", place.column);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(problem.message, where, " of: ", base::Utf8Prefix(text, 200)));
}

// The parser walks its trees on the stack: on one of 2 MB it overflows between 2,000 and 4,000 levels of one
// token. Memory and time go with the tokens: 200 MB and a second for a million.
constexpr size_t kDeepest = 2000;
constexpr size_t kMostTokens = 1'000'000;
// Protobuf's own limit, 100, is reached by 50 terms of a sum.
constexpr int kDeepestMessage = 2000;

absl::Status CheckText(absl::string_view text) {
  if (text.find('\0') != absl::string_view::npos) return absl::InvalidArgumentError("SQL with a NUL byte");
  const size_t bad = base::FindInvalidUtf8(text);
  if (bad == absl::string_view::npos) return absl::OkStatus();
  const Place place = PlaceAt(text, bad);
  return absl::InvalidArgumentError(
      absl::StrCat("SQL that is not UTF-8, at line ", place.line, ", column ", place.column));
}

std::optional<ParseProblem> CheckSize(absl::string_view text) {
  if (text.size() <= kDeepest) return std::nullopt;
  Size size;
  Lexer lexer(text, 0);
  while (const auto token = lexer.Next()) size.Add(*token, text);
  return TooBig(size);
}

}  // namespace

std::optional<ParseProblem> TooBig(const Size& size) {
  constexpr auto kTooLong = ParseProblem::Kind::kTooLong;
  if (size.tokens() > kMostTokens) {
    return ParseProblem{.kind = kTooLong,
                        .message = absl::StrCat("SQL of ", size.tokens(), " words and signs; at most ",
                                                kMostTokens, " are read at once, split it up")};
  }
  if (size.Depth() > kDeepest) {
    return ParseProblem{
        .kind = kTooLong,
        .message = absl::StrCat("SQL that is nested too deeply, or has an expression of ", size.Depth(),
                                " words and signs; at most ", kDeepest, " are read, split it up")};
  }
  return std::nullopt;
}

std::optional<ParseProblem> ParseUnchecked(absl::string_view text, pg_query::ParseResult* tree) {
  PgQueryProtobufParseResult raw = pg_query_parse_protobuf(std::string(text).c_str());
  std::optional<ParseProblem> problem;
  if (raw.error != nullptr) {
    problem = ParseProblem{.message = MessageOf(*raw.error), .offset = OffsetOf(text, *raw.error)};
  } else {
    google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(raw.parse_tree.data),
                                                  static_cast<int>(raw.parse_tree.len));
    stream.SetRecursionLimit(kDeepestMessage);
    if (!tree->ParseFromCodedStream(&stream)) {
      problem =
          ParseProblem{.kind = ParseProblem::Kind::kTooLong, .message = "SQL that is nested too deeply"};
    }
  }
  pg_query_free_protobuf_parse_result(raw);
  return problem;
}

absl::StatusOr<pg_query::ParseResult> Parse(absl::string_view text) {
  if (absl::Status s = CheckText(text); !s.ok()) return s;
  if (const auto problem = CheckSize(text)) return SyntaxError(text, *problem);
  pg_query::ParseResult tree;
  if (const auto problem = ParseUnchecked(text, &tree)) return SyntaxError(text, *problem);
  return tree;
}

absl::StatusOr<std::vector<Token>> Scan(absl::string_view text) {
  if (absl::Status s = CheckText(text); !s.ok()) return s;
  PgQueryScanResult raw = pg_query_scan(std::string(text).c_str());
  absl::StatusOr<std::vector<Token>> result;
  if (raw.error != nullptr) {
    result = SyntaxError(text, {.message = MessageOf(*raw.error), .offset = OffsetOf(text, *raw.error)});
  } else {
    pg_query::ScanResult scan;
    scan.ParseFromArray(raw.pbuf.data, static_cast<int>(raw.pbuf.len));
    std::vector<Token> tokens;
    for (const pg_query::ScanToken& t : scan.tokens()) {
      tokens.push_back({.start = t.start(),
                        .end = t.end(),
                        .comment = t.token() == pg_query::SQL_COMMENT || t.token() == pg_query::C_COMMENT,
                        .reserved = t.keyword_kind() == pg_query::RESERVED_KEYWORD});
    }
    result = std::move(tokens);
  }
  pg_query_free_scan_result(raw);
  return result;
}

absl::StatusOr<std::string> ParsePlpgsql(absl::string_view definition) {
  if (absl::Status s = CheckText(definition); !s.ok()) return s;
  PgQueryPlpgsqlParseResult raw = pg_query_parse_plpgsql(std::string(definition).c_str());
  absl::StatusOr<std::string> result;
  if (raw.error != nullptr) {
    result = SyntaxError(definition,
                         {.message = MessageOf(*raw.error), .offset = OffsetOf(definition, *raw.error)});
  } else {
    result = std::string(raw.plpgsql_funcs);
  }
  pg_query_free_plpgsql_parse_result(raw);
  return result;
}

absl::StatusOr<std::string> Deparse(const pg_query::ParseResult& tree) {
  std::string bytes = tree.SerializeAsString();
  PgQueryDeparseResult raw = pg_query_deparse_protobuf({bytes.size(), bytes.data()});
  absl::StatusOr<std::string> result;
  if (raw.error != nullptr) {
    result = absl::InternalError(absl::StrCat("cannot write a parse tree as SQL: ", MessageOf(*raw.error)));
  } else {
    result = std::string(raw.query);
  }
  pg_query_free_deparse_result(raw);
  return result;
}

bool IsBuiltInType(const pg_query::TypeName& type) {
  static const auto* const names = new std::set<std::string>{"text",          "uuid",
                                                             "json",          "jsonb",
                                                             "bytea",         "date",
                                                             "inet",          "cidr",
                                                             "macaddr",       "macaddr8",
                                                             "money",         "name",
                                                             "oid",           "xml",
                                                             "point",         "line",
                                                             "lseg",          "box",
                                                             "path",          "polygon",
                                                             "circle",        "tsvector",
                                                             "tsquery",       "timestamptz",
                                                             "timetz",        "int2",
                                                             "int4",          "int8",
                                                             "float4",        "float8",
                                                             "bool",          "varbit",
                                                             "bpchar",        "pg_lsn",
                                                             "regclass",      "int4range",
                                                             "int8range",     "numrange",
                                                             "tsrange",       "tstzrange",
                                                             "daterange",     "int4multirange",
                                                             "tsmultirange",  "int8multirange",
                                                             "nummultirange", "tstzmultirange",
                                                             "datemultirange"};
  if (type.names_size() == 2) return type.names(0).string().sval() == "pg_catalog";
  return type.names_size() == 1 && names->count(type.names(0).string().sval()) > 0;
}

bool IsKeyword(absl::string_view name) {
  PgQueryScanResult raw = pg_query_scan(std::string(name).c_str());
  bool keyword = true;
  if (raw.error == nullptr) {
    pg_query::ScanResult scan;
    scan.ParseFromArray(raw.pbuf.data, static_cast<int>(raw.pbuf.len));
    keyword = scan.tokens_size() != 1 || (scan.tokens(0).keyword_kind() != pg_query::NO_KEYWORD &&
                                          scan.tokens(0).keyword_kind() != pg_query::UNRESERVED_KEYWORD);
  }
  pg_query_free_scan_result(raw);
  return keyword;
}

std::string TokenName(absl::string_view token) {
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"') {
    return absl::StrReplaceAll(token.substr(1, token.size() - 2), {{"\"\"", "\""}});
  }
  return absl::AsciiStrToLower(token);
}

void ForEachChild(const Message& message, const std::function<void(const Message&)>& visit) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      visit(message.GetReflection()->GetMessage(message, field));
      continue;
    }
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      visit(message.GetReflection()->GetRepeatedMessage(message, field, i));
    }
  }
}

void Walk(const Message& tree, const std::function<bool(const Message&)>& visit) {
  if (!visit(tree)) return;
  ForEachChild(tree, [&visit](const Message& child) { Walk(child, visit); });
}

void WalkMutable(Message* tree, const std::function<bool(Message*)>& visit) {
  if (!visit(tree)) return;
  std::vector<const FieldDescriptor*> fields;
  tree->GetReflection()->ListFields(*tree, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      WalkMutable(tree->GetReflection()->MutableMessage(tree, field), visit);
      continue;
    }
    for (int i = 0; i < tree->GetReflection()->FieldSize(*tree, field); ++i) {
      WalkMutable(tree->GetReflection()->MutableRepeatedMessage(tree, field, i), visit);
    }
  }
}

}  // namespace curlew::sql
