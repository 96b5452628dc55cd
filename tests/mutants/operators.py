# SPDX-License-Identifier: Apache-2.0
"""One-change mistakes in C and Go, found in the syntax tree.

mutants(path, source) lists them all: a condition negated, a statement removed, an
operator or a constant changed, half of a condition dropped. Memory orders are left
alone, since no test on amd64 can tell them apart; the models do that.
"""

from dataclasses import dataclass

import tree_sitter_c
import tree_sitter_go
from tree_sitter import Language, Node, Parser

LANGUAGES = {"go": tree_sitter_go, "c": tree_sitter_c, "h": tree_sitter_c}

SWAPPED = {
    "<": ("<=",), "<=": ("<",), ">": (">=",), ">=": (">",), "==": ("!=",), "!=": ("==",),
    "&&": ("||",), "||": ("&&",), "&": ("|",), "|": ("&",), "^": ("&",), "&^": ("&",),
    "+": ("-",), "-": ("+",), "<<": (">>",), ">>": ("<<",), "%": ("*",), "/": ("*",),
    "+=": ("-=",), "-=": ("+=",), "|=": ("&=",), "&=": ("|=",), "&^=": ("|=",),
    "++": ("--",), "--": ("++",),
}
# Statements that can be left out: a store, a count, a call with all its effects.
REMOVED = {"expression_statement", "assignment_statement", "inc_statement", "dec_statement",
           "break_statement", "continue_statement", "defer_statement"}
UNTOUCHED = {"static_assert_declaration", "preproc_include", "import_declaration", "comment",
             "interpreted_string_literal", "string_literal", "attribute_specifier",
             "array_declarator", "preproc_if", "preproc_ifdef"}


@dataclass(frozen=True)
class Mutant:
    path: str
    start: int
    end: int
    text: str  # stands in the place of source[start:end]
    what: str
    line: int
    old: str  # the changed lines, before and after, for people and equivalent.txt
    new: str


def mutants(path: str, source: bytes) -> list[Mutant]:
    parser = Parser(Language(LANGUAGES[path.rpartition(".")[2]].language()))
    found: list[Mutant] = []

    def add(node: Node, text: str, what: str) -> None:
        start, end = node.start_byte, node.end_byte
        first = source.rfind(b"\n", 0, start) + 1
        last = source.find(b"\n", end)
        old = source[first:last]
        new = source[first:start] + text.encode() + source[end:last]
        found.append(Mutant(path, start, end, text, what, node.start_point[0] + 1,
                            " ".join(old.decode().split()), " ".join(new.decode().split())))

    def text_of(node: Node) -> str:
        return source[node.start_byte:node.end_byte].decode()

    def inverted_by_operator(condition: Node) -> bool:
        if condition.type == "parenthesized_expression":
            condition = condition.named_children[0]
        operator = condition.child_by_field_name("operator")
        return operator is not None and operator.type in ("==", "!=", "!")

    def visit(node: Node) -> None:
        if node.type in UNTOUCHED or (node.type == "call_expression" and
                                      text_of(node).startswith("_Static_assert")):
            # The content of a header's guard is mutated; its condition isn't.
            if node.type.startswith("preproc_if"):
                for child in node.named_children:
                    visit(child)
            return
        of(node)
        for child in node.children:
            visit(child)

    def of(node: Node) -> None:
        condition = node.child_by_field_name("condition")
        if condition is not None and not inverted_by_operator(condition):
            inner = text_of(condition)
            add(condition, f"(!{inner})" if inner.startswith("(") else f"!({inner})",
                "condition negated")
        if node.type in ("binary_expression", "assignment_expression", "assignment_statement",
                         "update_expression", "inc_statement", "dec_statement"):
            operator = node.child_by_field_name("operator") or node.children[-1]
            for other in SWAPPED.get(operator.type, ()):
                add(operator, other, f"{operator.type} for {other}")
            if operator.type in ("&&", "||"):
                for side in ("left", "right"):
                    add(node, text_of(node.child_by_field_name(side)),
                        f"only the {side} of {operator.type}")
        elif node.type == "unary_expression" and node.children[0].type in ("!", "~"):
            add(node, text_of(node.children[1]), f"{node.children[0].type} removed")
        elif node.type in ("number_literal", "int_literal"):
            literal = text_of(node)
            digits = literal.rstrip("uUlL")
            value = int(digits, 0) if digits == "0" or not digits.startswith("0") or \
                "x" in digits else None
            if value is not None:
                add(node, f"{value + 1}{literal[len(digits):]}", "constant + 1")
                if value > 1:
                    add(node, f"{value - 1}{literal[len(digits):]}", "constant - 1")
        elif node.type in ("true", "false"):
            add(node, "false" if node.type == "true" else "true", "true for false")
        elif node.type == "else_clause":
            add(node, "", "else removed")
        if node.type in REMOVED and node.parent is not None:
            add(node, ";" if node.type == "expression_statement" and not path.endswith(".go")
                or node.type in ("break_statement", "continue_statement") else "{}",
                "statement removed")

    visit(parser.parse(source).root_node)
    return found
