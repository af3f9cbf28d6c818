/** Does what the parent process sends, and tells it what came of it; ends with its parent. Says first that it is ready. */
export function serveWork<Given, Done>(perform: (work: Given) => Promise<Done>): void {
  process.on('message', (work: Given) => {
    perform(work).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}
