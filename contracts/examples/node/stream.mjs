// Shows one attempt at a time, without a gap; the terminal reply brings what is missing.
export class Stream {
  run = ''
  left = new Set()
  attempt = 0
  next = 0
  whole = true
  text = ''

  take(reply) {
    const run = reply.id.split(':').at(-3)
    if (this.left.has(run) || reply.attempt < this.attempt) return
    if (run !== this.run) {
      if (this.run) {
        this.left.add(this.run)
        console.log('\n[a new attempt: forget the text above]')
      }
      Object.assign(this, { run, attempt: reply.attempt, next: 0, whole: true, text: '' })
    }
    if (reply.kind === 'restarted' || reply.seq < this.next) return
    this.whole &&= reply.seq === this.next
    this.next = reply.seq + 1
    if (this.whole) this.show(reply.delta.content ?? '')
  }

  end(answer) {
    if (!answer.startsWith(this.text)) {
      console.log('\n[forget the text above]')
      this.text = ''
    }
    this.show(answer.slice(this.text.length) + '\n')
  }

  show(text) {
    this.text += text
    process.stdout.write(text)
  }
}
