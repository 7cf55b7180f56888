#include "common/sql/parser.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

extern "C" {
#include <pg_query.h>
}

namespace curlew::sql {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status SyntaxError(absl::string_view text, const PgQueryError& error) {
  std::string where;
  if (error.cursorpos > 0) {
    // cursorpos counts characters from 1; lines and columns are counted in characters too.
    int line = 1, column = 1, position = 1;
    for (size_t i = 0; i < text.size() && position < error.cursorpos; ++i) {
      if ((text[i] & 0xC0) == 0x80) continue;
      ++position;
      column = text[i] == '\n' ? 1 : column + 1;
      line += text[i] == '\n';
    }
    where = absl::StrCat(" at line ", line, ", column ", column);
  }
  return absl::InvalidArgumentError(absl::StrCat(error.message, where, " of: ", text.substr(0, 200)));
}

// The parser walks its trees on the stack: on one of 2 MB it overflows at some 8,000 levels of two tokens.
constexpr size_t kMostTokens = 8000;

absl::Status CheckText(absl::string_view text) {
  if (text.find('\0') != absl::string_view::npos) return absl::InvalidArgumentError("SQL with a NUL byte");
  return absl::OkStatus();
}

absl::Status CheckDepth(absl::string_view text) {
  if (text.size() <= kMostTokens) return absl::OkStatus();
  auto tokens = Scan(text);
  if (!tokens.ok() || tokens->size() <= kMostTokens) return tokens.status();
  return absl::InvalidArgumentError(absl::StrCat("SQL of ", tokens->size(), " words and signs; at most ",
                                                 kMostTokens, " are read at once, split it up"));
}

}  // namespace

absl::StatusOr<pg_query::ParseResult> Parse(absl::string_view text) {
  if (absl::Status s = CheckText(text); !s.ok()) return s;
  if (absl::Status s = CheckDepth(text); !s.ok()) return s;
  PgQueryProtobufParseResult raw = pg_query_parse_protobuf(std::string(text).c_str());
  absl::StatusOr<pg_query::ParseResult> result;
  if (raw.error != nullptr) {
    result = SyntaxError(text, *raw.error);
  } else if (pg_query::ParseResult tree;
             tree.ParseFromArray(raw.parse_tree.data, static_cast<int>(raw.parse_tree.len))) {
    result = std::move(tree);
  } else {
    // Protobuf gives up on trees nested deeper than its limit.
    result = absl::InvalidArgumentError("SQL that is nested too deeply");
  }
  pg_query_free_protobuf_parse_result(raw);
  return result;
}

absl::StatusOr<std::vector<Token>> Scan(absl::string_view text) {
  if (absl::Status s = CheckText(text); !s.ok()) return s;
  PgQueryScanResult raw = pg_query_scan(std::string(text).c_str());
  absl::StatusOr<std::vector<Token>> result;
  if (raw.error != nullptr) {
    result = SyntaxError(text, *raw.error);
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

absl::StatusOr<std::string> Deparse(const pg_query::ParseResult& tree) {
  std::string bytes = tree.SerializeAsString();
  PgQueryDeparseResult raw = pg_query_deparse_protobuf({bytes.size(), bytes.data()});
  absl::StatusOr<std::string> result;
  if (raw.error != nullptr) {
    result = absl::InternalError(absl::StrCat("cannot write a parse tree as SQL: ", raw.error->message));
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

void Walk(const Message& tree, const std::function<bool(const Message&)>& visit) {
  if (!visit(tree)) return;
  std::vector<const FieldDescriptor*> fields;
  tree.GetReflection()->ListFields(tree, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      Walk(tree.GetReflection()->GetMessage(tree, field), visit);
      continue;
    }
    for (int i = 0; i < tree.GetReflection()->FieldSize(tree, field); ++i) {
      Walk(tree.GetReflection()->GetRepeatedMessage(tree, field, i), visit);
    }
  }
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
