// The editor of a policy. It takes the place of `<textarea data-editor>`, which keeps the text for its form, so that
// a page without scripts edits the same text. `data-check` names where findings come from: it is sent `{"text": …}`, and
// answers as `adjudge check --format json` does, in lines and characters from 1.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintGutter, lintKeymap } from "@codemirror/lint";
import { unifiedMergeView } from "@codemirror/merge";
import { EditorState, type Extension, type Text } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

interface Finding {
  line: number;
  column: number;
  severity: "error" | "warning";
  message: string;
  hint: string | null;
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.labelName, tags.typeName], color: "var(--review)" },
]);

// A position is counted in characters by the server, and in UTF-16 units by the editor.
function offset(text: Text, line: number, column: number): number {
  const at = text.line(Math.min(Math.max(line, 1), text.lines));
  return at.from + [...at.text].slice(0, Math.max(column - 1, 0)).join("").length;
}

function checked(url: string, token: string): Extension {
  return linter(
    async (view): Promise<Diagnostic[]> => {
      const text = view.state.doc;
      const answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrf-token": token },
        body: JSON.stringify({ text: text.toString() }),
      });
      if (!answer.ok) throw new Error(`the check answered ${answer.status}`);
      return ((await answer.json()) as Finding[]).map(({ line, column, severity, message, hint }) => {
        const from = offset(text, line, column);
        const to = view.state.wordAt(from)?.to ?? Math.min(from + 1, text.length);
        return { from, to, severity, message: hint ? `${message}\nhint: ${hint}` : message };
      });
    },
    { delay: 60 },
  );
}

function edit(area: HTMLTextAreaElement): EditorView {
  const { nonce, check, token, original } = area.dataset;
  const view = new EditorView({
    doc: area.value,
    extensions: [
      nonce ? EditorView.cspNonce.of(nonce) : [],
      lineNumbers(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      yaml(),
      syntaxHighlighting(COLOURS),
      lintGutter(),
      // Tab is left alone: it leaves the editor, as it leaves every other field.
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
      EditorState.readOnly.of(area.readOnly),
      EditorView.contentAttributes.of({ "aria-label": area.getAttribute("aria-label") ?? area.name }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) area.value = update.state.doc.toString();
      }),
      check ? checked(check, token ?? "") : [],
      original === undefined ? [] : unifiedMergeView({ original, mergeControls: false }),
    ],
  });
  area.hidden = true;
  area.after(view.dom);
  return view;
}

document.querySelectorAll<HTMLTextAreaElement>("textarea[data-editor]").forEach(edit);
